import forge from 'node-forge';

/** DER as node-forge reads it. Byte strings are latin1, as forge has them. What is written is in ./encode.ts. */
export type Asn1 = forge.asn1.Asn1;

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
  rsaEncryption: '1.2.840.113549.1.1.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  rsaWithSha256: '1.2.840.113549.1.1.11',
  rsaWithSha384: '1.2.840.113549.1.1.12',
  rsaWithSha512: '1.2.840.113549.1.1.13',
} as const;

/** The bytes that an element was read from. */
export const toDer = (node: Asn1): Buffer => Buffer.from(forge.asn1.toDer(node).getBytes(), 'latin1');

export const parseDer = (der: Buffer): Asn1 =>
  forge.asn1.fromDer(forge.util.createBuffer(der.toString('latin1')), { strict: true } as never);

/** OID of the algorithm that a certificate is signed with (RFC 5280 4.1.1.2). */
export function signatureAlgorithmOf(certificate: Buffer): string {
  const [, algorithm] = parseDer(certificate).value as Asn1[];
  const [identifier] = algorithm!.value as Asn1[];
  return forge.asn1.derToOid(identifier!.value as string);
}
