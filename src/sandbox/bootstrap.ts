import { loadConfig } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { createIssuer } from '../issuers/index.js';
import { keepFirstCa } from '../keystore/first-ca.js';
import { createKeystore } from '../keystore/index.js';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.js';
import type { KeyPair } from '../x509/pair.js';
import { booking } from './configuration.js';

/**
 * How many days ago the first certificates were made: the CA, which lives for a year, and the leaves, which live for 30 days.
 * A CA that is new could not sign with tcld or certstrap, which date leaves back.
 */
export interface Ages {
  readonly ca: number;
  readonly leaves: number;
}

export const usualAges: Ages = { ca: 30, leaves: 0 };

const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000);

/** The first CA of the booking namespace, as a team has it before it ever rotates. */
export function firstCa({ ca }: Ages): Promise<KeyPair> {
  return createIssuer({ kind: 'builtin', algorithm: 'P-384' }).createCa({
    subject: { organization: 'Temporal Booking' },
    algorithm: 'P-384',
    generation: 1,
    lifetimeMs: 365 * 86_400_000,
    now: daysAgo(ca),
  });
}

/** Puts the first CA into the keystore as current, and a leaf of it into every target's Secret. */
export async function bootstrap(
  configFile: string,
  ca: KeyPair,
  admin: KubernetesClient,
  { leaves }: Ages,
): Promise<void> {
  const { config } = await loadConfig(configFile);
  const encryptionKey = config.keystore.encryptionKey && (await resolveSecret(config.keystore.encryptionKey));
  const keystore = createKeystore(config.keystore, { kubernetes: admin, encryptionKey });
  await keepFirstCa(keystore, { authority: booking.authority, ca });
  for (const { namespace, secret, subject, algorithm, lifetime } of Object.values(config.targets)) {
    const leaf = await createIssuer({ kind: 'builtin', algorithm }).issueLeaf(ca, {
      subject,
      algorithm,
      lifetimeMs: lifetime,
      now: daysAgo(leaves),
    });
    await createTlsSecret(admin, { namespace, secret, leaf });
  }
}

async function createTlsSecret(
  admin: KubernetesClient,
  { namespace, secret, leaf }: { namespace: string; secret: string; leaf: KeyPair },
) {
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
