import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { CloudApi } from './cloud/control-plane.js';
import type { Gateway } from './gateway/index.js';
import { withKinds, type Kinds, type Programs } from './kinds.js';
import { readExample } from './manifests.js';

export const booking = {
  namespace: 'temporal-booking.sdvdw',
  taskQueue: 'temporal-booking',
  authority: 'temporal-booking',
  target: 'booking-worker',
} as const;

/** When the gateway ends a connection: 5 minutes and 70 s in Temporal Cloud. */
export const connectionAge = { connectionAgeMs: 4000, connectionAgeGraceMs: 3000 } as const;

const connectionsEnd = `${connectionAge.connectionAgeMs + connectionAge.connectionAgeGraceMs}ms`;

/** The waits of the sandbox: seconds where production has minutes. A proof outlasts the slowest frontend of the gateway. */
export const sandboxTiming = {
  connectionAge: `${connectionAge.connectionAgeMs}ms`,
  connectionAgeGrace: `${connectionAge.connectionAgeGraceMs}ms`,
  secretPropagation: '1s',
  rolloutDeadline: '2m',
  proof: { successes: 5, over: '1500ms', deadline: '1m' },
  soak: connectionsEnd,
  watch: connectionsEnd,
} as const;

export interface SandboxConfiguration {
  /** The rotation worker's configuration. */
  readonly file: string;
}

interface Parts {
  readonly dir: string;
  readonly gateway: Gateway;
  readonly cloud: CloudApi;
  readonly kubeconfig: string;
  readonly markerId: string;
  readonly kinds: Kinds;
  readonly programs: Programs;
  /** Merged over the example's timing. */
  readonly timing?: object | undefined;
  readonly notifiers?: object | undefined;
}

/** The example's configuration with the sandbox's addresses and waits, and the secrets that it refers to. */
export async function writeConfiguration(parts: Parts): Promise<SandboxConfiguration> {
  const { dir, gateway, cloud, kubeconfig, markerId, kinds, programs, timing, notifiers } = parts;
  const [apiKey, encryptionKey, file] = [
    join(dir, 'cloud-api-key'),
    join(dir, 'key-encryption-key'),
    join(dir, 'rotation.yaml'),
  ];
  await writeFile(apiKey, `${cloud.apiKey}\n`, { mode: 0o600 });
  await writeFile(encryptionKey, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  const example = parse(await readExample('temporal-booking/rotation.yaml')) as Record<string, object>;
  const namespaces = example['namespaces'] as Record<string, object>;
  const config = {
    ...example,
    cloud: { ...example['cloud'], address: cloud.address, serverRootsFile: gateway.caFile, apiKey: { file: apiKey } },
    keystore: { ...example['keystore'], encryptionKey: { file: encryptionKey } },
    kubernetes: { kubeconfig, sandbox: markerId },
    namespaces: {
      [booking.namespace]: {
        ...namespaces[booking.namespace],
        endpoints: [gateway.address],
        serverName: gateway.serverNameOf(booking.namespace),
        serverRootsFile: gateway.caFile,
      },
    },
    timing: { ...sandboxTiming, ...timing },
    ...(notifiers && { notifiers }),
  };
  await writeFile(file, stringify(withKinds(config, kinds, programs, booking)), { mode: 0o600 });
  return { file };
}
