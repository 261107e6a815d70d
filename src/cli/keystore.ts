import type { LoadedConfig } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { createKeystore } from '../keystore/index.js';
import type { Keystore } from '../keystore/keystore.js';
import { createKubernetesClient } from '../kubernetes/client.js';
import { assertSandboxMarker } from '../kubernetes/marker.js';

/** The keystore of the configuration, for commands. */
export async function openKeystore({ config }: LoadedConfig): Promise<Keystore> {
  const kubernetes = await createKubernetesClient(config.kubernetes);
  await assertSandboxMarker(kubernetes, config.kubernetes.sandbox);
  const encryptionKey = config.keystore.encryptionKey && (await resolveSecret(config.keystore.encryptionKey));
  return createKeystore(config.keystore, { kubernetes, encryptionKey });
}
