import type { CertificateFacts } from '../domain/certificate.js';
import type { PrivateKey } from './private-key.js';

/** A certificate with its key: a CA that can sign, or a leaf that can connect. */
export interface KeyPair {
  readonly certificate: CertificateFacts;
  readonly key: PrivateKey;
}
