import { loadConfig } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { createIssuer } from '../issuers/index.js';
import { keepFirstCa } from '../keystore/first-ca.js';
import { createKeystore } from '../keystore/index.js';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.js';
import type { KeyPair } from '../x509/pair.js';
import { booking } from './configuration.js';

/** The first CA of the booking namespace, as a team has it before it ever rotates. */
export function firstCa(): Promise<KeyPair> {
  return createIssuer({ kind: 'builtin', algorithm: 'P-384' }).createCa({
    subject: { organization: 'Temporal Booking' },
    algorithm: 'P-384',
    generation: 1,
    lifetimeMs: 365 * 86_400_000,
    now: new Date(),
  });
}

/** Puts the first CA into the keystore as current, and a leaf of it into every target's Secret. */
export async function bootstrap(configFile: string, ca: KeyPair, admin: KubernetesClient): Promise<void> {
  const { config } = await loadConfig(configFile);
  const encryptionKey = config.keystore.encryptionKey && (await resolveSecret(config.keystore.encryptionKey));
  const keystore = createKeystore(config.keystore, { kubernetes: admin, encryptionKey });
  await keepFirstCa(keystore, { authority: booking.authority, ca });
  for (const { namespace, secret, subject, algorithm, lifetime } of Object.values(config.targets)) {
    const leaf = await createIssuer({ kind: 'builtin', algorithm }).issueLeaf(ca, { subject, algorithm, lifetimeMs: lifetime, now: new Date() });
    await createTlsSecret(admin, { namespace, secret, leaf });
  }
}

async function createTlsSecret(admin: KubernetesClient, { namespace, secret, leaf }: { namespace: string; secret: string; leaf: KeyPair }) {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const object: KubernetesObject & { type: string; data: Record<string, string> } = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: secret, namespace },
    data: { 'tls.crt': base64(leaf.certificate.pem), 'tls.key': base64(leaf.key.reveal()) },
  };
  await admin.create(`/api/v1/namespaces/${namespace}/secrets`, object);
}
