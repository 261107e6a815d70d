import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesClient, KubernetesObject } from '../../kubernetes/client.js';
import type { PodObject, SecretObject } from './pod-objects.js';
import { PodRunner, makePodFolder, type Image } from './pod-runner.js';
import { SecretCache } from './secret-cache.js';

export type { Image } from './pod-runner.js';

export interface NodeAgentOptions {
  readonly admin: KubernetesClient;
  /** What the containers' images are; looked up for each new pod. A pod with another image stays pending. */
  readonly images: Readonly<Record<string, Image>>;
  /** Environment values that mean another place in the sandbox: addresses of the cloud, paths of the image. */
  readonly names: Readonly<Record<string, string>>;
  /** Pods' folders and logs. */
  readonly dir: string;
}

export interface NodeAgent {
  /** Names and process ids of the pods that run. */
  pods(): ReadonlyMap<string, number | undefined>;
  /** Fault: from now on the node knows every Secret as it was so long ago. 0 ends it. */
  lateCache(ms: number): void;
  stop(): Promise<void>;
}

interface Tended {
  readonly runner: PodRunner;
  readonly pod: PodObject;
  /** The status that the API server knows. */
  reported: string;
}

const nodeName = 'sandbox';
const lookEveryMs = 150;

/**
 * A small kubelet, and the scheduler of a cluster of one node: pods of Deployments, StatefulSets and DaemonSets run as real
 * processes with their Secrets mounted as files. It looks at everything a few times a second: simple, and never out of step.
 */
export async function startNodeAgent({ admin, images, names, dir }: NodeAgentOptions): Promise<NodeAgent> {
  await registerNode(admin);
  const tended = new Map<string, Tended>();
  const secrets = new SecretCache();
  const stopped = new AbortController();
  const loop = run();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look().catch(complain);
      await wait(lookEveryMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  }

  async function look(): Promise<void> {
    const pods = await admin.list<PodObject>('/api/v1/pods');
    secrets.see(await admin.list<SecretObject>('/api/v1/secrets'));
    await Promise.all(pods.map((pod) => tend(pod).catch(complain)));
    const present = new Set(pods.map((pod) => pod.metadata!.uid!));
    for (const [uid, { runner }] of tended) {
      if (present.has(uid)) continue;
      tended.delete(uid);
      await runner.stop(0);
    }
  }

  async function tend(pod: PodObject): Promise<void> {
    const image = images[pod.spec.containers[0]!.image];
    if (!image) return;
    if (!pod.spec.nodeName) return bind(admin, pod);
    const { uid, deletionTimestamp } = pod.metadata!;
    const known = tended.get(uid!);
    if (deletionTimestamp) return end(pod, known?.runner);
    const entry = known ?? { runner: await runnerOf(pod, image), pod, reported: '' };
    tended.set(uid!, entry);
    await entry.runner.sync();
    await report(entry);
  }

  async function runnerOf(pod: PodObject, image: Image): Promise<PodRunner> {
    const { namespace, name } = pod.metadata!;
    const folder = await makePodFolder(join(dir, `${namespace}_${name}`));
    const secret = (key: string) => secrets.get(namespace!, key);
    return new PodRunner({ pod, image, names, dir: folder, logFile: `${folder}.log`, secret });
  }

  async function report(entry: Tended): Promise<void> {
    const status = entry.runner.status();
    const text = JSON.stringify(status);
    if (text === entry.reported) return;
    const { name, namespace } = entry.pod.metadata!;
    const update: KubernetesObject & { status: object } = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: name!, namespace: namespace! },
      status,
    };
    await admin.apply(`${pathOf(entry.pod)}/status`, update, 'node-agent');
    entry.reported = text;
  }

  /** Does not hold the loop up: the other pods go on while this one ends. */
  async function end(pod: PodObject, runner: PodRunner | undefined): Promise<void> {
    const grace = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    void (runner?.stop(grace) ?? Promise.resolve())
      .then(() => admin.delete(`${pathOf(pod)}?gracePeriodSeconds=0`))
      .catch(() => undefined);
  }

  return {
    pods: () => new Map([...tended.values()].map(({ pod, runner }) => [pod.metadata!.name!, runner.pid])),
    lateCache: (ms) => void (secrets.lateMs = ms),
    async stop() {
      stopped.abort();
      await loop;
      await Promise.all([...tended.values()].map(({ runner }) => runner.stop(3000)));
    },
  };
}

function complain(error: Error): void {
  process.stderr.write(`node agent: ${error.message}\n`);
}

const pathOf = ({ metadata }: PodObject): string => `/api/v1/namespaces/${metadata!.namespace}/pods/${metadata!.name}`;

async function bind(admin: KubernetesClient, pod: PodObject): Promise<void> {
  const { name, namespace } = pod.metadata!;
  const binding: KubernetesObject & { target: object } = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: name!, namespace: namespace! },
    target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
  };
  await admin.create(`${pathOf(pod)}/binding`, binding);
}

async function registerNode(admin: KubernetesClient): Promise<void> {
  const node: KubernetesObject & { status: object } = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  await admin.create('/api/v1/nodes', node);
  // Admission taints a new node as not ready; the controller that would take that back does not run here.
  await admin.patch(`/api/v1/nodes/${nodeName}`, [{ op: 'remove', path: '/spec/taints' }]);
}
