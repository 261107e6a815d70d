import forge from 'node-forge';

/** The little DER that certificates need, over node-forge's ASN.1 encoder. Byte strings are latin1, as forge has them. */
export type Asn1 = forge.asn1.Asn1;

const { asn1 } = forge;
const { Class, Type } = asn1;

/** Object identifiers: RFC 5280, RFC 5480, RFC 5758, RFC 8017. */
export const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  anyPurpose: '2.5.29.37.0',
  authorityInformationAccess: '1.3.6.1.5.5.7.1.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecPublicKey: '1.2.840.10045.2.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  rsaWithSha256: '1.2.840.113549.1.1.11',
  rsaWithSha384: '1.2.840.113549.1.1.12',
  rsaWithSha512: '1.2.840.113549.1.1.13',
} as const;

export const sequence = (...items: readonly Asn1[]): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...items]);
export const set = (...items: readonly Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SET, true, [...items]);
export const oid = (value: string): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(value).getBytes());
export const boolean = (value: boolean): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\0');
export const nullValue = (): Asn1 => asn1.create(Class.UNIVERSAL, Type.NULL, false, '');
export const octets = (bytes: Buffer): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes.toString('latin1'));
export const utf8 = (text: string): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.UTF8, false, Buffer.from(text).toString('latin1'));
export const tagged = (tag: number, constructed: boolean, value: string | Asn1[]): Asn1 =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, constructed, value);

/** `unused` low bits of the last byte do not count (X.690 8.6). */
export const bits = (bytes: Buffer, unused = 0): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unused) + bytes.toString('latin1'));

/** A non-negative integer in minimal DER: Go refuses a serial whose top bit is set as negative (safety 1). */
export function integer(magnitude: Buffer): Asn1 {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const minimal = magnitude.subarray(start);
  const padded = minimal[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), minimal]) : minimal;
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, padded.toString('latin1'));
}

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). Whole seconds. */
export function time(date: Date): Asn1 {
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, digits.slice(2))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, digits);
}

export const toDer = (node: Asn1): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1');

export const parseDer = (der: Buffer): Asn1 =>
  asn1.fromDer(forge.util.createBuffer(der.toString('latin1')), { strict: true } as never);

/** OID of the algorithm that a certificate is signed with (RFC 5280 4.1.1.2). */
export function signatureAlgorithmOf(certificate: Buffer): string {
  const [, algorithm] = parseDer(certificate).value as Asn1[];
  const [identifier] = algorithm!.value as Asn1[];
  return asn1.derToOid(identifier!.value as string);
}
