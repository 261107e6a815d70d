import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { RotationError } from '../domain/failures.js';
import { PrivateKey } from '../x509/private-key.js';

const algorithm = 'aes-256-gcm';
const [nonceBytes, tagBytes] = [12, 16];

/** Wraps private keys for their rest. `name` is bound to the wrapped key: moved to another entry, it does not open. */
export interface Envelope {
  seal(name: string, key: PrivateKey): string;
  /** Throws `KeystoreUnreadable`. */
  open(name: string, sealed: string): PrivateKey;
}

/** AES-256-GCM (NIST SP 800-38D) under a key-encryption key of 32 bytes, base64. Sealed: base64 of nonce, tag, text. */
export function encryptedEnvelope(keyEncryptionKey: string): Envelope {
  const kek = Buffer.from(keyEncryptionKey, 'base64');
  if (kek.length !== 32) {
    throw new RotationError(
      'ReferenceUnreadable',
      `keystore.encryptionKey must be 32 bytes in base64; it has ${kek.length}.`,
    );
  }
  return {
    seal(name, key) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, kek, nonce).setAAD(Buffer.from(name));
      const text = Buffer.concat([cipher.update(key.reveal(), 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
    },
    open(name, sealed) {
      const bytes = Buffer.from(sealed, 'base64');
      try {
        const nonce = bytes.subarray(0, nonceBytes);
        const decipher = createDecipheriv(algorithm, kek, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(name));
        decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        return new PrivateKey(
          Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8'),
        );
      } catch {
        throw unreadable(name, 'does not open with this key-encryption key');
      }
    },
  };
}

/** Without a cause: what is said of bytes that are no key may quote them. */
function unreadable(name: string, why: string): RotationError {
  return new RotationError('KeystoreUnreadable', `The key of entry ${name} ${why}.`);
}

/** Keys as they are: only where the configuration says `allowPlaintext: true`. */
export const plaintextEnvelope: Envelope = {
  seal: (_name, key) => Buffer.from(key.reveal()).toString('base64'),
  open(name, sealed) {
    try {
      return new PrivateKey(Buffer.from(sealed, 'base64').toString('utf8'));
    } catch {
      throw unreadable(name, 'is not plaintext: it was written with a key-encryption key');
    }
  },
};
