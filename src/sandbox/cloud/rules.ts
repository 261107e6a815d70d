import { X509Certificate } from 'node:crypto';
import { maxBundleBytes, maxCas } from '../../domain/bundle.js';
import { isExpired, isValidAt, type CertificateFacts } from '../../domain/certificate.js';
import { maxFilters, type CertificateFilter } from '../../domain/filters.js';
import { signatureAlgorithmOf } from '../../x509/der.js';
import { readCertificates, signedBy } from '../../x509/read.js';

/** What Temporal Cloud refuses of a CA bundle, in its words; undefined when it is taken. */
export function checkBundle(bundlePem: string, mtlsEnabled: boolean, now: Date): string | undefined {
  let bundle: readonly CertificateFacts[];
  try {
    bundle = readCertificates(bundlePem);
  } catch {
    return refusal(['failed to parse certificate']);
  }
  if (mtlsEnabled && bundle.length === 0) return refusal(['at least one certificate is required when mTLS is enabled']);
  if (bundle.length > maxCas) return refusal([`${bundle.length} certificates received, at most ${maxCas} are allowed`]);
  if (bundlePem.length > maxBundleBytes) {
    return refusal([`${bundlePem.length} bytes received, at most ${maxBundleBytes} are allowed`]);
  }
  const problems = bundle.flatMap((ca) => problemsOf(ca, bundle, now));
  return problems.length > 0 ? refusal(problems) : undefined;
}

/** The server lists every problem of every certificate at once. */
function refusal(problems: readonly string[]): string {
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
  return `invalid ca certificate: ${count} occurred:\n${problems.map((problem) => `\t* ${problem}\n`).join('')}\n`;
}

function problemsOf(ca: CertificateFacts, bundle: readonly CertificateFacts[], now: Date): string[] {
  const { subject, pem } = ca;
  const problems: string[] = [];
  if (!ca.isCa) problems.push(`certificate with subject '${subject}' received is not a CA`);
  if (!strongSignatures.has(signatureAlgorithmOf(new X509Certificate(pem).raw))) {
    problems.push(
      `certificate with subject '${subject}' received is not signed with RSA or ECDSA over SHA-256 or stronger`,
    );
  }
  if (isExpired(ca, now))
    problems.push(`certificate with subject '${subject}' received is expired as of '${spaced(ca.notAfter)}'`);
  const error = chainError(ca, bundle, now);
  if (error)
    problems.push(
      `unable to construct full certificate chain for cert with subject '${subject}'. Error: x509: ${error}`,
    );
  return problems;
}

/** In the words of Go's crypto/x509. */
function chainError(ca: CertificateFacts, bundle: readonly CertificateFacts[], now: Date): string | undefined {
  if (isExpired(ca, now))
    return `certificate has expired or is not yet valid: current time ${seconds(now)} is after ${seconds(new Date(ca.notAfter))}`;
  if (!isValidAt(ca, now))
    return `certificate has expired or is not yet valid: current time ${seconds(now)} is before ${seconds(new Date(ca.notBefore))}`;
  return bundle.some((parent) => signedBy(ca, parent)) ? undefined : 'certificate signed by unknown authority';
}

const seconds = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;
const spaced = (time: string): string => `${time.slice(0, 19).replace('T', ' ')} +0000 UTC`;

/** SHA-256, SHA-384 and SHA-512 with RSA and ECDSA, and RSASSA-PSS: RFC 4055, RFC 5758. */
const strongSignatures: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
]);

export function checkFilters(filters: readonly CertificateFilter[]): string | undefined {
  if (filters.length > maxFilters)
    return `invalid certificate filters: ${filters.length} received, at most ${maxFilters} are allowed`;
  for (const filter of filters) {
    const values = Object.values(filter).filter((value) => value !== undefined);
    if (values.length === 0) return 'invalid certificate filters: a filter has no field';
    if (!values.every((value) => /^(\*?[^*]+|[^*]+\*)$/.test(value))) {
      return 'invalid certificate filters: one wildcard is allowed, at the beginning or the end, never alone';
    }
  }
  return undefined;
}
