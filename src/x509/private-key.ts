import { createPrivateKey, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';

/**
 * A private key that can be used in this process and cannot leave it by accident: serialising it throws, printing it
 * redacts. `structuredClone` would silently drop it, so never clone what holds one.
 */
export class PrivateKey {
  readonly #pkcs8: string;

  /** @param pem any PEM private key that node:crypto reads, without passphrase; kept as PKCS#8. */
  constructor(pem: string | KeyObject) {
    const key = typeof pem === 'string' ? createPrivateKey(pem) : pem;
    this.#pkcs8 = key.export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  /** PKCS#8 PEM text. Call it only where the key is handed to its keeper or to TLS. */
  reveal(): string {
    return this.#pkcs8;
  }

  /** For signing and for comparing public halves. */
  keyObject(): KeyObject {
    return createPrivateKey(this.#pkcs8);
  }

  toJSON(): never {
    throw new TypeError('a private key must not be serialised');
  }

  toString(): string {
    return '[private key]';
  }

  [inspect.custom](): string {
    return '[private key]';
  }
}
