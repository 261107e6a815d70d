import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { filesOf, type Place } from './key-scan.js';
import { descendantsOf } from './processes.js';

/**
 * Files of a sandbox that hold keys by their purpose: the mounted Secrets of pods, the pair that a person's commands connect with, the
 * control plane's own keys, etcd.
 */
const keepers = [
  /\/pods\/[^/]+\/certs\//,
  /\/client\/[^/]+\/tls\.key$/,
  /\/kubernetes\/etcd\//,
  /\/kubernetes\/[^/]+\.key$/,
  /\/server\.key$/,
];

const recorder = `--import=${fileURLToPath(new URL('./record-keys.js', import.meta.url))}`;

/**
 * Environment of a program, each of whose keys is written to `file`, for `recordedKeys`.
 * @param others what else it preloads
 */
export const recordingKeys = (file: string, others = ''): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `${recorder} ${others}`.trim(),
  RECORD_KEYS_TO: file,
});

/** Command lines and environments of this process's descendants, sampled from `/proc` until stopped. */
export function watchProcesses(): { stop(): readonly Place[] } {
  const seen = new Map<string, Buffer>();
  const look = async (): Promise<void> => {
    for (const { pid } of await descendantsOf(process.pid)) {
      for (const what of ['cmdline', 'environ']) {
        const content = await readFile(`/proc/${pid}/${what}`).catch(() => Buffer.alloc(0));
        if (content.length > 0) seen.set(`${what} of process ${pid}`, content);
      }
    }
  };
  const timer = setInterval(() => void look().catch(() => undefined), 500);
  return {
    stop() {
      clearInterval(timer);
      return [...seen].map(([name, content]) => ({ name, content }));
    },
  };
}

/** Everything that a run leaves behind where no key may be: histories, Kubernetes objects, files and logs, the namespace. */
export async function tracesOf(sandbox: Sandbox, client: Client): Promise<readonly Place[]> {
  return [
    ...(await histories(client)),
    ...(await kubernetesObjects(sandbox)),
    ...(await filesOf(sandbox.dir, (path) => keepers.some((keeper) => keeper.test(path)))),
    ...sandbox.store
      .list()
      .map(({ namespace, spec }) => ({ name: `spec of ${namespace}`, content: Buffer.from(spec) })),
  ];
}

async function histories(client: Client): Promise<Place[]> {
  const places: Place[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: 'WorkflowType != "book"' })) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const content = Buffer.from(proto.temporal.api.history.v1.History.encode(history).finish());
    places.push({ name: `history of ${workflowId}`, content });
  }
  return places;
}

const kinds = [
  'api/v1/secrets',
  'api/v1/configmaps',
  'api/v1/pods',
  'api/v1/events',
  'apis/apps/v1/deployments',
] as const;
type Secret = KubernetesObject & { readonly data?: Readonly<Record<string, string>> };

/** Objects whole, annotations and managedFields included; of a target's Secret all but the key that it is there for. */
async function kubernetesObjects({ kubernetes }: Sandbox): Promise<Place[]> {
  const lists = await Promise.all(kinds.map((kind) => kubernetes.admin.list<Secret>(`/${kind}`)));
  return lists.flat().map((object) => {
    const { 'tls.key': _target, ...data } = object.data ?? {};
    const content = Buffer.from(JSON.stringify({ ...object, data }));
    return { name: `${object.metadata?.namespace}/${object.metadata?.name}`, content };
  });
}
