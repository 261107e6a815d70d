import type { CertificateFacts } from '../domain/certificate.js';
import type { PrivateKey } from './private-key.js';

/** A certificate with its key: a CA that can sign, or a leaf that can connect. */
export interface KeyPair {
  readonly certificate: CertificateFacts;
  readonly key: PrivateKey;
  /**
   * Certificates above it, issuer first; absent where there are none. Of a CA: up to its root. Of a leaf: the intermediates
   * that are presented with it, never the root (safety 3).
   */
  readonly chain?: readonly CertificateFacts[] | undefined;
}
