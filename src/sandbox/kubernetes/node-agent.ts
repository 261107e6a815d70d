import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesClient, KubernetesObject } from '../../kubernetes/client.js';
import type { PodObject, SecretObject } from './pod-objects.js';
import { PodRunner, makePodFolder, type Image } from './pod-runner.js';

export type { Image } from './pod-runner.js';

export interface NodeAgentOptions {
  readonly admin: KubernetesClient;
  /** What the containers' images are. A pod with another image stays pending. */
  readonly images: Readonly<Record<string, Image>>;
  /** Environment values that mean another place in the sandbox: addresses of the cloud, paths of the image. */
  readonly names: Readonly<Record<string, string>>;
  /** Pods' folders and logs. */
  readonly dir: string;
}

export interface NodeAgent {
  /** Names and process ids of the pods that run. */
  pods(): ReadonlyMap<string, number | undefined>;
  stop(): Promise<void>;
}

const nodeName = 'sandbox';
const lookEveryMs = 150;

/**
 * A small kubelet, and the scheduler of a cluster of one node: Deployments run as real processes with their Secrets mounted
 * as files. It looks at everything a few times a second: simple, and never out of step.
 */
export async function startNodeAgent({ admin, images, names, dir }: NodeAgentOptions): Promise<NodeAgent> {
  await registerNode(admin);
  const runners = new Map<string, { runner: PodRunner; pod: PodObject; reported: string }>();
  /** Where each runner finds the Secrets of the last look. */
  const newest = new Map<string, (name: string) => SecretObject | undefined>();
  const stopped = new AbortController();
  const loop = run();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look().catch((error: Error) => process.stderr.write(`node agent: ${error.message}\n`));
      await wait(lookEveryMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  }

  async function look(): Promise<void> {
    const [pods, secrets] = await Promise.all([admin.list<PodObject>('/api/v1/pods'), admin.list<SecretObject>('/api/v1/secrets')]);
    const secretOf = (namespace: string) => (name: string) =>
      secrets.find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name);
    await Promise.all(pods.map((pod) => tend(pod, secretOf(pod.metadata!.namespace!))));
    const present = new Set(pods.map((pod) => pod.metadata!.uid!));
    for (const [uid, { runner }] of runners) {
      if (present.has(uid)) continue;
      runners.delete(uid);
      await runner.stop(0);
    }
  }

  async function tend(pod: PodObject, secret: (name: string) => SecretObject | undefined): Promise<void> {
    const image = images[pod.spec.containers[0]!.image];
    if (!image) return;
    if (!pod.spec.nodeName) return bind(admin, pod);
    const { uid, name, deletionTimestamp } = pod.metadata!;
    let entry = runners.get(uid!);
    if (deletionTimestamp) return end(pod, entry?.runner);
    if (!entry) {
      const folder = await makePodFolder(join(dir, name!));
      entry = { runner: new PodRunner({ pod, image, names, dir: folder, logFile: `${folder}.log`, secret: (key) => newest.get(uid!)?.(key) }), pod, reported: '' };
      runners.set(uid!, entry);
    }
    newest.set(uid!, secret);
    await entry.runner.sync();
    await report(pod, entry);
  }

  async function report(pod: PodObject, entry: { runner: PodRunner; reported: string }): Promise<void> {
    const status = entry.runner.status();
    const text = JSON.stringify(status);
    if (text === entry.reported) return;
    const { name, namespace } = pod.metadata!;
    const update: KubernetesObject & { status: object } = { apiVersion: 'v1', kind: 'Pod', metadata: { name: name!, namespace: namespace! }, status };
    await admin.apply(`${pathOf(pod)}/status`, update, 'node-agent');
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
    pods: () => new Map([...runners.values()].map(({ pod, runner }) => [pod.metadata!.name!, runner.pid])),
    async stop() {
      stopped.abort();
      await loop;
      await Promise.all([...runners.values()].map(({ runner }) => runner.stop(3000)));
    },
  };
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
}
