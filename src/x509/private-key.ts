import { createPrivateKey, KeyObject, type JsonWebKey } from 'node:crypto';
import { inspect } from 'node:util';

/**
 * A private key that can be used in this process and cannot leave it by accident: serialising it throws, printing it
 * redacts. `structuredClone` would silently drop it, so never clone what holds one.
 */
export class PrivateKey {
  #key: KeyObject | JsonWebKey;

  /**
   * @param key any PEM private key that node:crypto reads, without passphrase; or a JWK (RFC 7517), which is read when it is first
   * used, because reading it takes longer than making it
   */
  constructor(key: string | KeyObject | JsonWebKey) {
    this.#key = typeof key === 'string' ? createPrivateKey(key) : key;
  }

  /** PKCS#8 PEM text. Call it only where the key is handed to its keeper or to TLS. */
  reveal(): string {
    return this.keyObject().export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  /** PKCS#8 PEM text that opens with the passphrase (PBES2, AES-256). For a program that reads it from a file. */
  revealEncrypted(passphrase: string): string {
    return this.keyObject().export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }) as string;
  }

  /** For signing and for comparing public halves. */
  keyObject(): KeyObject {
    if (!(this.#key instanceof KeyObject)) this.#key = createPrivateKey({ key: this.#key, format: 'jwk' });
    return this.#key;
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

/**
 * Reads a PEM private key: PKCS#1, SEC1 or PKCS#8, encrypted or not. Throws an Error that holds nothing of the input.
 * A passphrase for a key that is not encrypted is not minded.
 */
export function openPrivateKey(pem: string, passphrase?: string): PrivateKey {
  try {
    const key = passphrase === undefined ? pem : withReadableHash(pem);
    return new PrivateKey(createPrivateKey({ key, format: 'pem', ...(passphrase !== undefined && { passphrase }) }));
  } catch {
    if (!pem.includes('ENCRYPTED')) throw new Error('it is no key');
    throw new Error(passphrase === undefined ? 'it is encrypted' : 'it does not open with the passphrase');
  }
}

/** The identifier of hmacWithSHA256 (RFC 8018, B.1.2), and what may follow it: NULL. */
const hmacWithSha256 = Buffer.from('06082a864886f70d0209', 'hex');
const [nothing, asn1Null] = [Buffer.of(0, 0), Buffer.of(5, 0)];

/** certstrap writes two zero bytes where NULL is meant, into the keys that it encrypts; OpenSSL does not read that. */
function withReadableHash(pem: string): string {
  return pem.replace(encryptedPkcs8, (_block, begin: string, base64: string, end: string) => {
    const der = Buffer.from(base64, 'base64');
    const at = der.indexOf(Buffer.concat([hmacWithSha256, nothing]));
    if (at >= 0) asn1Null.copy(der, at + hmacWithSha256.length);
    return `${begin}\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}${end}`;
  });
}

const encryptedPkcs8 = /(-----BEGIN ENCRYPTED PRIVATE KEY-----)([^-]+)(-----END ENCRYPTED PRIVATE KEY-----)/;
