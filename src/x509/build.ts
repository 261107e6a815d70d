import { createHash, createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { Subject } from '../issuers/issuer.js';
import {
  bits,
  boolean,
  integer,
  nullValue,
  octets,
  oid,
  oids,
  parseDer,
  sequence,
  set,
  tagged,
  time,
  toDer,
  utf8,
  type Asn1,
} from './der.js';
import type { PrivateKey } from './private-key.js';

/** What goes into a certificate. Names and validity are the issuer's decision; encoding is this file's. */
export interface CertificateTemplate {
  readonly serial: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: Asn1;
  /** The issuer's subject, byte for byte from its DER: rebuilt from parsed attributes Go does not recognise it. */
  readonly issuer: Asn1;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Asn1;
  readonly extensions: readonly Asn1[];
}

/** UTF8String throughout: Go refuses a PrintableString with `_` or `@` (safety 1). */
export function distinguishedName({ organization, organizationalUnit, commonName }: Subject): Asn1 {
  const attribute = (type: string, value: string | undefined) => (value ? [set(sequence(oid(type), utf8(value)))] : []);
  return sequence(
    ...attribute(oids.organization, organization),
    ...attribute(oids.organizationalUnit, organizationalUnit),
    ...attribute(oids.commonName, commonName),
  );
}

/** Encodes and signs; returns PEM. */
export function buildCertificate(template: CertificateTemplate, signer: PrivateKey): string {
  const key = signer.keyObject();
  const { identifier, digest } = signatureAlgorithm(key);
  const tbs = sequence(
    tagged(0, true, [integer(Buffer.from([2]))]),
    integer(template.serial),
    identifier,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.publicKey,
    tagged(3, true, [sequence(...template.extensions)]),
  );
  const signature = sign(digest, toDer(tbs), key);
  const der = toDer(sequence(tbs, identifier, bits(signature)));
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

/** SHA-384 for P-384, SHA-256 otherwise. ECDSA identifiers have no parameters (RFC 5758), RSA's are NULL. */
function signatureAlgorithm(key: KeyObject): { identifier: Asn1; digest: string } {
  if (key.asymmetricKeyType === 'rsa')
    return { identifier: sequence(oid(oids.rsaWithSha256), nullValue()), digest: 'sha256' };
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { identifier: sequence(oid(oids.ecdsaWithSha384)), digest: 'sha384' }
    : { identifier: sequence(oid(oids.ecdsaWithSha256)), digest: 'sha256' };
}

/** SHA-1 of the public key's bits (RFC 5280 4.2.1.2, method 1). */
export function keyIdentifier(publicKey: Asn1): Buffer {
  const bitString = (publicKey.value as Asn1[])[1]! as Asn1 & { bitStringContents?: string };
  const contents = Buffer.from(bitString.bitStringContents ?? (bitString.value as string), 'latin1');
  return createHash('sha1').update(contents.subarray(1)).digest();
}

export const publicHalf = (key: PrivateKey): Asn1 => publicKeyInfo(createPublicKey(key.keyObject()));

/**
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Of an elliptic key it is written here (RFC 5480 2): that node exports it takes several
 * times as long as making the key.
 */
export function publicKeyInfo(publicKey: KeyObject): Asn1 {
  const { x, y, crv } = publicKey.export({ format: 'jwk' });
  const curve = crv && curves[crv];
  if (!curve) return parseDer(publicKey.export({ type: 'spki', format: 'der' }));
  const point = Buffer.concat([uncompressed, Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
  return sequence(sequence(oid(oids.ecPublicKey), oid(curve)), bits(point));
}

const curves: Readonly<Record<string, string>> = { 'P-256': '1.2.840.10045.3.1.7', 'P-384': '1.3.132.0.34' };
const uncompressed = Buffer.of(4);

function extension(type: string, critical: boolean, value: Asn1): Asn1 {
  return sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(toDer(value)));
}

export const extensions = {
  /** CA:true, pathlen 0: it signs leaves, no further CAs. */
  ca: (): Asn1 => extension(oids.basicConstraints, true, sequence(boolean(true), integer(Buffer.from([0])))),
  notCa: (): Asn1 => extension(oids.basicConstraints, true, sequence()),
  keyCertSignAndCrlSign: (): Asn1 => extension(oids.keyUsage, true, bits(Buffer.from([0b0000_0110]), 1)),
  digitalSignature: (): Asn1 => extension(oids.keyUsage, true, bits(Buffer.from([0b1000_0000]), 7)),
  clientAuth: (): Asn1 => extension(oids.extendedKeyUsage, false, sequence(oid(oids.clientAuth))),
  subjectKeyIdentifier: (id: Buffer): Asn1 => extension(oids.subjectKeyIdentifier, false, octets(id)),
  authorityKeyIdentifier: (id: Buffer): Asn1 =>
    extension(oids.authorityKeyIdentifier, false, sequence(tagged(0, false, id.toString('latin1')))),
  /** Undefined when there are no names: an empty extension is not allowed. */
  alternativeNames: (dns: readonly string[], uris: readonly string[]): Asn1 | undefined =>
    dns.length + uris.length === 0
      ? undefined
      : extension(
          oids.subjectAltName,
          false,
          sequence(...dns.map((name) => tagged(2, false, name)), ...uris.map((uri) => tagged(6, false, uri))),
        ),
};
