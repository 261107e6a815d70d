import { createHash, type KeyObject } from 'node:crypto';
import { oids } from './der.js';
import { bits, nullValue, oid, sequence, type Der } from './encode.js';

/** What a certificate says of a public key (RFC 5280 4.1.2.7). */
export interface PublicKey {
  /** AlgorithmIdentifier. */
  readonly algorithm: Der;
  /** Of an elliptic key the point, uncompressed (RFC 5480 2.2); of an RSA key RSAPublicKey (RFC 8017 A.1.1). */
  readonly contents: Buffer;
}

export type Curve = 'P-256' | 'P-384' | 'P-521';

const elliptic = (curve: string): Der => sequence(oid(oids.ecPublicKey), oid(curve));
const algorithms: Readonly<Record<Curve | 'RSA', Der>> = {
  RSA: sequence(oid(oids.rsaEncryption), nullValue()),
  'P-256': elliptic('1.2.840.10045.3.1.7'),
  'P-384': elliptic('1.3.132.0.34'),
  'P-521': elliptic('1.3.132.0.35'),
};

/** @param point uncompressed: 4, x, y */
export const ellipticKey = (curve: Curve, point: Buffer): PublicKey => ({
  algorithm: algorithms[curve],
  contents: point,
});

/** Of a public key that node:crypto holds: RSA, or of a curve that certificates have here. Throws TypeError for any other. */
export function publicKeyOf(key: KeyObject): PublicKey {
  if (key.asymmetricKeyType === 'rsa')
    return { algorithm: algorithms.RSA, contents: key.export({ type: 'pkcs1', format: 'der' }) };
  const { crv, x, y } = key.export({ format: 'jwk' });
  if (crv !== 'P-256' && crv !== 'P-384' && crv !== 'P-521')
    throw new TypeError(`no certificate is made with a key of type ${crv ?? key.asymmetricKeyType}`);
  return ellipticKey(crv, Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]));
}

/** SubjectPublicKeyInfo. */
export const publicKeyInfo = ({ algorithm, contents }: PublicKey): Der => sequence(algorithm, bits(contents));

/** SHA-1 of the public key's bits (RFC 5280 4.2.1.2, method 1). */
export const keyIdentifier = ({ contents }: PublicKey): Buffer => createHash('sha1').update(contents).digest();
