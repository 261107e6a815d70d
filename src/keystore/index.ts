import type { Config } from '../config/schema.js';
import type { KubernetesClient } from '../kubernetes/client.js';
import { encryptedEnvelope, plaintextEnvelope } from './envelope.js';
import type { Keystore } from './keystore.js';
import { createKubernetesKeystore } from './kubernetes.js';

export interface KeystoreDependencies {
  readonly kubernetes: KubernetesClient;
  /** Key-encryption key, 32 bytes in base64; absent only where the configuration allows plaintext. */
  readonly encryptionKey?: string | undefined;
}

export function createKeystore(
  config: Config['keystore'],
  { kubernetes, encryptionKey }: KeystoreDependencies,
): Keystore {
  const envelope = encryptionKey ? encryptedEnvelope(encryptionKey) : plaintextEnvelope;
  switch (config.kind) {
    case 'kubernetes':
      return createKubernetesKeystore(kubernetes, config.namespace, envelope);
  }
}
