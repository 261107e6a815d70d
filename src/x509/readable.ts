import forge from 'node-forge';
import type { CertificateFacts } from '../domain/certificate.js';
import { oids, type Asn1 } from './der.js';
import { generalNamesOf, nameConstraintsOf } from './name-constraints.js';
import { children, parsed, type Parsed } from './parsed.js';
import { extensionsOf } from './read.js';

/** RFC 5280 4.1.2.2. */
const longestSerial = 20;

/**
 * Why Temporal Cloud would not read a certificate that node and OpenSSL read, or undefined: its front ends parse with Go's
 * crypto/x509, which is stricter (safety 1). Stricter still than Go where RFC 5280 is: serials are positive and at most 20 octets.
 */
export function unreadable(certificate: CertificateFacts): string | undefined {
  const read = parsed(certificate.pem);
  if (!judged.has(read))
    judged.set(read, serialProblem(certificate) ?? nameProblem(certificate) ?? extensionProblem(certificate));
  return judged.get(read);
}

/** A CA is asked about with each of its leaves. */
const judged = new WeakMap<Parsed, string | undefined>();

function serialProblem({ pem }: CertificateFacts): string | undefined {
  const octets = Buffer.from(parsed(pem).serial.value as string, 'latin1');
  if (octets[0]! >= 0x80) return 'has a negative serial number';
  if (octets.every((octet) => octet === 0)) return 'has the serial number zero';
  return octets.length > longestSerial ? `has a serial number of more than ${longestSerial} octets` : undefined;
}

function nameProblem({ pem }: CertificateFacts): string | undefined {
  const { subject, issuer } = parsed(pem);
  const values = [subject, issuer]
    .flatMap(children)
    .flatMap(children)
    .map((attribute) => children(attribute)[1]!);
  const foreign = values.find((value) => !isText(value));
  return (
    foreign &&
    `has a name with characters that its string type (${stringTypes.get(foreign.type)?.name ?? foreign.type}) does not have`
  );
}

const { Type } = forge.asn1;

/**
 * The string types that Go knows, and what it reads of each, where node reads more; `*` and `&` are no PrintableString, but Go lets
 * them pass.
 */
const stringTypes: ReadonlyMap<number, { readonly name: string; readonly has: RegExp }> = new Map([
  [Type.PRINTABLESTRING, { name: 'PrintableString', has: /^[A-Za-z0-9 '()+,\-./:=?*&]*$/ }],
  [Type.IA5STRING, { name: 'IA5String', has: /^[\0-\x7f]*$/ }],
  [18, { name: 'NumericString', has: /^[0-9 ]*$/ }],
  [20, { name: 'T61String', has: /^[^]*$/ }],
  [Type.BMPSTRING, { name: 'BMPString', has: /^[^\ufdd0-\ufdef\ufffe\uffff]*$/ }],
  [Type.UTF8, { name: 'UTF8String', has: /^[^]*$/ }],
]);

const isText = ({ type, value }: Asn1): boolean =>
  typeof value === 'string' && (stringTypes.get(type)?.has.test(value) ?? false);

/** Extensions that are never critical. */
const neverCritical: readonly string[] = [
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.authorityInformationAccess,
];

function extensionProblem(certificate: CertificateFacts): string | undefined {
  const extensions = extensionsOf(certificate);
  if (new Set(extensions.map(({ id }) => id)).size < extensions.length) return 'has an extension twice';
  const critical = extensions.find((one) => one.critical && neverCritical.includes(one.id));
  if (critical) return `has an extension that must not be critical (${critical.id})`;
  try {
    generalNamesOf(certificate);
    nameConstraintsOf(certificate);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
