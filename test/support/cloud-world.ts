import { readFileSync } from 'node:fs';
import { createActivities, type Activities } from '../../src/activities/index.js';
import { openCloudChannel, type CloudChannel } from '../../src/cloud/channel.js';
import type { Cloud } from '../../src/cloud/cloud.js';
import { createOpsApiCloud } from '../../src/cloud/ops-api.js';
import { startCloudApi, type CloudApi } from '../../src/sandbox/cloud/control-plane.js';
import { CloudStore, newSpec } from '../../src/sandbox/cloud/store.js';
import { readCertificates } from '../../src/x509/read.js';
import { aWorld, booking, type World } from './fakes.js';
import type { ServerCertificate } from './server-certificate.js';
import { timing } from './slots.js';

/**
 * A world whose cloud is the product's own client of the sandbox's Temporal Cloud. `world.cloud` is its gateway, which the probe and
 * the pods meet: it trusts what the operations say that ended.
 */
export interface CloudWorld {
  readonly world: World;
  readonly api: CloudApi;
  readonly store: CloudStore;
  /** How long the operations take that are begun from now on. */
  operationMs: number;
  /** So much later than its operation ends does a change have its effect at the gateway. */
  gatewayDelayMs: number;
  /** How long a change waits for an operation; absent: as long as in production. */
  operationDeadlineMs?: number;
  activities(): Activities;
  stop(): Promise<void>;
}

/** @param around what every request passes through. */
export async function aCloudWorld(
  certificate: ServerCertificate,
  around: (channel: CloudChannel) => CloudChannel = (channel) => channel,
): Promise<CloudWorld> {
  const world = await aWorld({ timing });
  const gateway = (bundlePem: string, filters: ReturnType<World['filters']>): void => {
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: readCertificates(bundlePem), filters });
  };
  const timers = new Set<NodeJS.Timeout>();
  const store = new CloudStore({
    get operationMs() {
      return made.operationMs;
    },
    onTrust: async (_namespace, { bundlePem, filters }) => {
      if (made.gatewayDelayMs === 0) return gateway(bundlePem, filters);
      timers.add(setTimeout(() => gateway(bundlePem, filters), made.gatewayDelayMs));
    },
  });
  store.create(booking, newSpec('booking', { bundlePem: world.old.certificate.pem, filters: [] }));
  const api = await startCloudApi({ store, ...certificate, mtlsAddressOf: () => '127.0.0.1:1', checkDurationMs: 20 });
  const serverRoots = readFileSync(certificate.certificateFile);
  const channel = openCloudChannel({ address: api.address, apiKey: api.apiKey, serverRoots });
  const opsApi = createOpsApiCloud(around(channel));
  const cloud: Cloud = {
    ...opsApi,
    changeTrust: (namespace, decide, options) =>
      opsApi.changeTrust(namespace, decide, {
        ...options,
        ...(made.operationDeadlineMs !== undefined && { operationDeadlineMs: made.operationDeadlineMs }),
      }),
  };
  const made: CloudWorld = {
    world: { ...world, deps: { ...world.deps, cloud } },
    api,
    store,
    operationMs: 20,
    gatewayDelayMs: 0,
    activities: () => createActivities(made.world.deps),
    async stop() {
      timers.forEach(clearTimeout);
      await cloud.close();
      await api.stop();
    },
  };
  return made;
}
