import { createECDH, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm } from '../issuers/issuer.js';
import { PrivateKey } from './private-key.js';
import { ellipticKey, publicKeyOf, type PublicKey } from './public-key.js';

const generate = promisify(generateKeyPair);

export interface GeneratedKey {
  readonly privateKey: PrivateKey;
  readonly publicKey: PublicKey;
}

/** A new key, made by node:crypto; RSA, which takes long, off the main thread. */
export async function generateKey(algorithm: KeyAlgorithm): Promise<GeneratedKey> {
  switch (algorithm) {
    case 'P-256':
      return generateElliptic('P-256', 'prime256v1');
    case 'P-384':
      return generateElliptic('P-384', 'secp384r1');
    case 'RSA-2048':
    case 'RSA-3072':
    case 'RSA-4096': {
      const { privateKey, publicKey } = await generate('rsa', { modulusLength: Number(algorithm.slice(4)) });
      return { privateKey: new PrivateKey(privateKey), publicKey: publicKeyOf(publicKey) };
    }
  }
}

/**
 * By ECDH, which makes the same keys and says what it made. Of a key that generateKeyPair made, asking for the point takes as long
 * as making it; and with generateKeyPairSync node 20 may wait for itself for ever, when garbage is collected while it exports
 * the JWK.
 */
function generateElliptic(crv: 'P-256' | 'P-384', openSslName: string): GeneratedKey {
  const pair = createECDH(openSslName);
  const point = pair.generateKeys();
  const size = (point.length - 1) / 2;
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  const scalar = pair.getPrivateKey();
  const d = Buffer.concat([Buffer.alloc(size - scalar.length), scalar]);
  const jwk = { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url'), d: d.toString('base64url') };
  return { privateKey: new PrivateKey(jwk), publicKey: ellipticKey(crv, point) };
}
