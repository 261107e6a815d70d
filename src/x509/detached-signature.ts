import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { PrivateKey } from './private-key.js';

/** Over a text, in base64: Ed25519 (RFC 8032) as it is, ECDSA (DER) and RSA (PKCS#1 v1.5) with SHA-256. */
export function signText(text: string, key: PrivateKey): string {
  const signer = key.keyObject();
  return sign(digestFor(signer), Buffer.from(text), signer).toString('base64');
}

/** @param publicKey PEM, SubjectPublicKeyInfo. */
export function isSignedBy(text: string, signature: string, publicKey: string): boolean {
  try {
    const key = createPublicKey(publicKey);
    return verify(digestFor(key), Buffer.from(text), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

/** SubjectPublicKeyInfo, DER, in base64: the same for the same key, however its PEM is written. Undefined: it is no public key. */
export function publicKeyId(pem: string): string | undefined {
  try {
    if (pem.includes('PRIVATE')) return undefined;
    return createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64');
  } catch {
    return undefined;
  }
}

const digestFor = ({ asymmetricKeyType }: KeyObject): string | null =>
  asymmetricKeyType === 'ed25519' ? null : 'sha256';
