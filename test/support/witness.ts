import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { filesOf, type Place } from './key-scan.js';
import { descendantsOf, listeningPorts } from './processes.js';

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

/** The same of a rotation worker, which also tells its metrics, on a port of the system's choosing. */
export const witnessedWorker = (file: string, others?: string): Readonly<Record<string, string>> => ({
  ...recordingKeys(file, others),
  METRICS_ADDRESS: '127.0.0.1:0',
});

export interface ProcessWatch {
  /** All that was seen, after one more look. */
  places(): Promise<readonly Place[]>;
  stop(): Promise<void>;
}

const lookEveryMs = 500;

/** Command lines, environments and metrics of this process's descendants, sampled until stopped: of each what it last had. */
export function watchProcesses(): ProcessWatch {
  const seen = new Map<string, Buffer>();
  const note = (name: string, content: Buffer): void => {
    if (content.length > 0) seen.set(name, content);
  };
  const look = async (): Promise<void> => {
    for (const { pid } of await descendantsOf(process.pid)) {
      const [commandLine, environment] = await Promise.all(
        ['cmdline', 'environ'].map((what) => readFile(`/proc/${pid}/${what}`).catch(() => Buffer.alloc(0))),
      );
      note(`cmdline of process ${pid}`, commandLine!);
      note(`environ of process ${pid}`, environment!);
      if (environment!.includes('METRICS_ADDRESS=')) note(`metrics of process ${pid}`, await metricsOf(pid));
    }
  };
  const stopped = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await look();
      await wait(lookEveryMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
    }
  };
  const watching = watch();
  return {
    async places() {
      await look();
      return [...seen].map(([name, content]) => ({ name, content }));
    },
    stop() {
      stopped.abort();
      return watching;
    },
  };
}

/** Nothing of a process that serves none, or has ended meanwhile. */
async function metricsOf(pid: number): Promise<Buffer> {
  const answers = (await listeningPorts(pid)).map(async (port) => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2000) });
    return Buffer.from(await response.arrayBuffer());
  });
  return Promise.all(answers).then(
    (all) => Buffer.concat(all),
    () => Buffer.alloc(0),
  );
}

/** What traces are of: a sandbox, or what is known of one that another process holds. */
export interface Traced {
  readonly dir: string;
  readonly kubernetes: Pick<Sandbox['kubernetes'], 'admin'>;
  readonly store?: Pick<Sandbox['store'], 'list'>;
}

/** What a run leaves behind where no key may be, by the names of its places; the logs are those of rotation workers. */
export const tracesLeft = [
  /^history of (ca|leaf)\//,
  /^object cert-rotation\//,
  /^cmdline of /,
  /^environ of /,
  /^metrics of /,
  /\/(pods\/cert-rotation_.*|worker)\.log$/,
] as const;

/**
 * Everything that a run leaves behind where no key may be: histories, Kubernetes objects, files and logs, the namespaces.
 * @param clients of the Temporal namespaces that rotations ran in
 */
export async function tracesOf(sandbox: Traced, clients: readonly Client[]): Promise<readonly Place[]> {
  const specs = sandbox.store?.list() ?? [];
  return [
    ...(await Promise.all(clients.map((client) => histories(client)))).flat(),
    ...(await kubernetesObjects(sandbox)),
    ...(await filesOf(sandbox.dir, (path) => keepers.some((keeper) => keeper.test(path)))),
    ...specs.map(({ namespace, spec }) => ({ name: `spec of ${namespace}`, content: Buffer.from(spec) })),
  ];
}

/**
 * Of every run of the namespace but those of the application.
 * @param known runs that are left out; grows by those that are not
 */
export async function histories(client: Client, known = new Set<string>()): Promise<Place[]> {
  const places: Place[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: 'WorkflowType != "book"' })) {
    if (known.has(runId)) continue;
    known.add(runId);
    places.push(placeOf(workflowId, await client.workflow.getHandle(workflowId, runId).fetchHistory()));
  }
  return places;
}

/** Of a run, and of every run that it started in turn. */
export async function historyWithChildren(client: Client, workflowId: string, runId?: string): Promise<Place[]> {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const places = [placeOf(workflowId, history)];
  for (const { childWorkflowExecutionStartedEventAttributes: started } of history.events ?? []) {
    const { workflowId: child, runId: childRun } = started?.workflowExecution ?? {};
    if (child && childRun) places.push(...(await historyWithChildren(client, child, childRun)));
  }
  return places;
}

function placeOf(workflowId: string, history: proto.temporal.api.history.v1.IHistory): Place {
  const content = Buffer.from(proto.temporal.api.history.v1.History.encode(history).finish());
  return { name: `history of ${workflowId}`, content };
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
export async function kubernetesObjects({ kubernetes }: Pick<Traced, 'kubernetes'>): Promise<Place[]> {
  const lists = await Promise.all(kinds.map((kind) => kubernetes.admin.list<Secret>(`/${kind}`)));
  return lists.flat().map((object) => {
    const { 'tls.key': _target, ...data } = object.data ?? {};
    const content = Buffer.from(JSON.stringify({ ...object, data }));
    return { name: `object ${object.metadata?.namespace}/${object.metadata?.name}`, content };
  });
}
