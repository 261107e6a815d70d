import { sign, type KeyObject } from 'node:crypto';
import type { Subject } from '../issuers/issuer.js';
import { oids } from './der.js';
import {
  bits,
  boolean,
  integer,
  nullValue,
  octets,
  oid,
  sequence,
  set,
  tagged,
  time,
  utf8,
  type Der,
} from './encode.js';
import type { PrivateKey } from './private-key.js';
import { publicKeyInfo, type PublicKey } from './public-key.js';

/** What goes into a certificate. Names and validity are the issuer's decision; encoding is this file's. */
export interface CertificateTemplate {
  readonly serial: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: Der;
  /** The issuer's subject, byte for byte from its DER: rebuilt from parsed attributes Go does not recognise it. */
  readonly issuer: Der;
  readonly publicKey: PublicKey;
  readonly extensions: readonly Der[];
}

/** UTF8String throughout: Go refuses a PrintableString with `_` or `@` (safety 1). */
export function distinguishedName({ organization, organizationalUnit, commonName }: Subject): Der {
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
    version3,
    integer(template.serial),
    identifier,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    publicKeyInfo(template.publicKey),
    tagged(3, true, sequence(...template.extensions)),
  );
  const signature = sign(digest, tbs, key);
  const der = sequence(tbs, identifier, bits(signature));
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

const version3 = tagged(0, true, integer(Buffer.of(2)));

/** SHA-384 for P-384, SHA-256 otherwise. ECDSA identifiers have no parameters (RFC 5758), RSA's are NULL. */
function signatureAlgorithm(key: KeyObject): { readonly identifier: Der; readonly digest: string } {
  if (key.asymmetricKeyType === 'rsa') return signatures.rsaWithSha256;
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? signatures.ecdsaWithSha384 : signatures.ecdsaWithSha256;
}

const signatures = {
  rsaWithSha256: { identifier: sequence(oid(oids.rsaWithSha256), nullValue()), digest: 'sha256' },
  ecdsaWithSha256: { identifier: sequence(oid(oids.ecdsaWithSha256)), digest: 'sha256' },
  ecdsaWithSha384: { identifier: sequence(oid(oids.ecdsaWithSha384)), digest: 'sha384' },
} as const;

function extension(type: string, critical: boolean, value: Der): Der {
  return sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(value));
}

/** A list without names is no extension: `alternativeNames` is undefined then. */
export const extensions = {
  /** CA:true, pathlen 0: it signs leaves, no further CAs. */
  ca: extension(oids.basicConstraints, true, sequence(boolean(true), integer(Buffer.of(0)))),
  notCa: extension(oids.basicConstraints, true, sequence()),
  keyCertSignAndCrlSign: extension(oids.keyUsage, true, bits(Buffer.of(0b0000_0110), 1)),
  digitalSignature: extension(oids.keyUsage, true, bits(Buffer.of(0b1000_0000), 7)),
  clientAuth: extension(oids.extendedKeyUsage, false, sequence(oid(oids.clientAuth))),
  subjectKeyIdentifier: (id: Buffer): Der => extension(oids.subjectKeyIdentifier, false, octets(id)),
  authorityKeyIdentifier: (id: Buffer): Der =>
    extension(oids.authorityKeyIdentifier, false, sequence(tagged(0, false, id))),
  alternativeNames: (dns: readonly string[], uris: readonly string[]): Der | undefined =>
    dns.length + uris.length === 0
      ? undefined
      : extension(
          oids.subjectAltName,
          false,
          sequence(
            ...dns.map((name) => tagged(2, false, Buffer.from(name, 'latin1'))),
            ...uris.map((uri) => tagged(6, false, Buffer.from(uri, 'latin1'))),
          ),
        ),
};
