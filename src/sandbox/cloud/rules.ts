import { X509Certificate } from 'node:crypto';
import { maxBundleBytes, maxCas } from '../../domain/bundle.js';
import type { CertificateFacts } from '../../domain/certificate.js';
import { maxFilters, type CertificateFilter } from '../../domain/filters.js';
import { readCertificates, signedBy } from '../../x509/read.js';

/** What Temporal Cloud refuses of a CA bundle, in its words; undefined when it is taken. */
export function checkBundle(bundlePem: string, mtlsEnabled: boolean, now: Date): string | undefined {
  let bundle: readonly CertificateFacts[];
  try {
    bundle = readCertificates(bundlePem);
  } catch {
    return 'invalid ca certificate: failed to parse certificate';
  }
  if (mtlsEnabled && bundle.length === 0) return 'invalid ca certificate: at least one certificate is required when mTLS is enabled';
  if (bundle.length > maxCas) return `invalid ca certificate: more than ${maxCas} certificates`;
  if (bundlePem.length > maxBundleBytes) return `invalid ca certificate: larger than ${maxBundleBytes} bytes`;
  const errors = bundle.flatMap((ca) => problemsOf(ca, bundle, now));
  if (errors.length === 0) return undefined;
  return `invalid ca certificate: ${errors.length} errors occurred:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`;
}

function problemsOf(ca: CertificateFacts, bundle: readonly CertificateFacts[], now: Date): string[] {
  const problems: string[] = [];
  const subject = ca.subject.split(',').reverse().join(',');
  if (!ca.isCa) problems.push(`certificate with subject '${subject}' is not a CA`);
  if (/sha1|md5/i.test(signatureOf(ca))) problems.push(`certificate with subject '${subject}' is signed with SHA-1 or MD5`);
  if (Date.parse(ca.notAfter) <= now.getTime()) {
    const when = ca.notAfter.replace('T', ' ').replace(/\.\d+Z/, ' +0000 UTC');
    problems.push(`certificate with subject '${subject}' received is expired as of '${when}'`);
    problems.push(`unable to construct full certificate chain for cert with subject '${subject}'. Error: x509: certificate has expired or is not yet valid`);
  } else if (!bundle.some((parent) => signedBy(ca, parent))) {
    problems.push(`unable to construct full certificate chain for cert with subject '${subject}'. Error: x509: certificate signed by unknown authority`);
  }
  return problems;
}

function signatureOf({ pem }: CertificateFacts): string {
  const certificate = new X509Certificate(pem) as X509Certificate & { signatureAlgorithm?: string };
  return certificate.signatureAlgorithm ?? '';
}

export function checkFilters(filters: readonly CertificateFilter[]): string | undefined {
  if (filters.length > maxFilters) return `invalid certificate filters: more than ${maxFilters}`;
  for (const filter of filters) {
    const values = Object.values(filter).filter((value) => value !== undefined);
    if (values.length === 0) return 'invalid certificate filters: a filter without a field';
    if (values.some((value) => value === '*' || /^.+\*.+$/.test(value))) return 'invalid certificate filters: a wildcard stands only at the beginning or the end';
  }
  return undefined;
}
