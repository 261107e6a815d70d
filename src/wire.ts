import type { Client } from '@temporalio/client';
import type { Dependencies } from './activities/index.js';
import type { Journal } from './audit-journal.js';
import { createCloud } from './cloud/index.js';
import type { LoadedConfig } from './config/load.js';
import { resolveSecret } from './config/references.js';
import { RotationError } from './domain/failures.js';
import type { Fingerprint } from './domain/certificate.js';
import { createIssuer } from './issuers/index.js';
import { createKeystore } from './keystore/index.js';
import { createKubernetesClient } from './kubernetes/client.js';
import { assertSandboxMarker } from './kubernetes/marker.js';
import { NamespaceViews } from './namespace-views.js';
import { sight } from './sight.js';
import { createNotifier } from './notifiers/index.js';
import { createProbe } from './probes/index.js';
import { assertPrograms } from './programs.js';
import { ownNamespaces } from './config/own-namespaces.js';
import { endpointsOf } from './config/endpoints.js';
import { createTarget } from './targets/index.js';
import { presentedCertificates } from './temporal/connect.js';

export interface WireOptions {
  /** The worker's client; swapped when its certificate is. */
  client(): Client;
  /** Leaf that this process's own connection presents. */
  presented(): Fingerprint | undefined;
  readonly searchAttributes: boolean;
  readonly journal: Journal;
  /** Nobody of ours is let in anywhere, as in a rescue: who polls is looked at with leaves of the next CA, once that is trusted. */
  readonly lockedOut?: boolean;
}

/** Configuration → objects: the only place where kinds meet. */
export async function wire(loaded: LoadedConfig, options: WireOptions): Promise<Dependencies> {
  const { config, digest } = loaded;
  const kubernetes = await createKubernetesClient(config.kubernetes);
  await assertSandboxMarker(kubernetes, config.kubernetes.sandbox);
  const encryptionKey = config.keystore.encryptionKey && (await resolveSecret(config.keystore.encryptionKey));
  const views = new NamespaceViews(() => deps);
  const keystore = createKeystore(config.keystore, { kubernetes, ...(encryptionKey && { encryptionKey }) });
  const cloud = createCloud(config.cloud, { apiKey: await resolveSecret(config.cloud.apiKey), keystore });
  const { pollers, clients } = sight({ ...options, views, ownQueue: config.temporal.taskQueue });
  const deps: Dependencies = {
    config,
    configDigest: digest,
    keystore,
    cloud,
    probe: createProbe(config.probe),
    issuer: (authority) => createIssuer(config.authorities[authority]!.issuer),
    assertPrograms: (authority) => assertPrograms(config, authority),
    target: (name) => {
      const target = config.targets[name];
      if (!target) throw new RotationError('UnknownTarget', `The configuration has no target "${name}".`);
      return createTarget({
        name,
        config: target,
        timing: config.timing,
        client: kubernetes,
        pollers,
        namespaces: ownNamespaces(config, target),
        presentedByThisProcess: () => {
          const fingerprint = options.presented();
          return fingerprint && process.env['HOSTNAME'] ? { pod: process.env['HOSTNAME'], fingerprint } : undefined;
        },
      });
    },
    notifier: (name) => {
      const notifier = config.notifiers[name];
      if (!notifier) throw new RotationError('UnknownNotifier', `The configuration has no notifier "${name}".`);
      return createNotifier(name, notifier);
    },
    endpoints: endpointsOf(config),
    pollers,
    clients,
    client: () => options.client(),
    ownCertificate: async () => (await presentedCertificates(loaded))?.certificate,
    searchAttributes: options.searchAttributes,
    audit: (event) => options.journal.write(event),
    now: () => new Date(),
    clusterTime: () => kubernetes.time(),
    async close() {
      await views.close();
      await cloud.close();
    },
  };
  return deps;
}
