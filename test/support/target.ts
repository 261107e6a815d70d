import { configSchema, type TargetConfig, type Timing } from '../../src/config/schema.js';
import type { KubernetesClient } from '../../src/kubernetes/client.js';
import { createTarget, type TargetOptions } from '../../src/targets/index.js';
import type { Poller, Progress, Target } from '../../src/targets/target.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import {
  wantedPods,
  workloadKinds,
  type Pod,
  type Workload,
  type WorkloadKind,
} from '../../src/targets/kubernetes/objects.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { allow, authorized, createNamespace, type Cluster } from './cluster.js';
import { eventually } from './eventually.js';

export const secretName = 'worker-tls';
export const workloadName = 'worker';
const queue = { namespace: 'booking.acme', name: 'booking' };

export interface PlacedOptions {
  readonly kind?: WorkloadKind;
  readonly replicas?: number;
  readonly rollout?: TargetConfig['rollout'];
  /** What the Secret holds when the target is met; absent: there is none, and no workload either. */
  readonly pair?: KeyPair;
  /** Merged into the pod spec. */
  readonly podSpec?: object;
  readonly image?: string;
  /** Merged into the workload's spec. */
  readonly spec?: object;
}

/** A namespace of its own with a Secret, a workload that mounts it, and the Role that the product needs for it. */
export interface Placed {
  readonly namespace: string;
  readonly secretPath: string;
  readonly workloadPath: string;
  /** As the rotation worker makes it, anew each time: whatever is remembered lies in the cluster. */
  target(
    options?: Partial<Omit<TargetOptions, 'config' | 'timing'>> & {
      config?: Partial<TargetConfig>;
      timing?: Partial<Timing>;
    },
  ): Target;
  pods(): Promise<readonly Pod[]>;
  workload(): Promise<Workload>;
  settled(): Promise<Workload>;
}

export const silent: Progress = { report: () => undefined, signal: new AbortController().signal };

let count = 0;

export async function placeTarget(cluster: Cluster, options: PlacedOptions): Promise<Placed> {
  const { kind = 'Deployment', rollout = 'rolling', pair } = options;
  const { admin } = cluster;
  const namespace = `target-${(count += 1)}`;
  const resource = workloadKinds[kind];
  const workloads = `/apis/apps/v1/namespaces/${namespace}/${resource}`;
  await createNamespace(admin, namespace);
  const workload = rollout === 'none' ? undefined : { resource, name: workloadName };
  await allow(admin, { namespace, secret: secretName, ...(workload && { workload }), scale: rollout === 'scale' });
  await authorized(cluster.client, { namespace, secret: secretName });
  const placed: Placed = {
    namespace,
    secretPath: `/api/v1/namespaces/${namespace}/secrets/${secretName}`,
    workloadPath: `${workloads}/${workloadName}`,
    target: ({ config, timing, ...given } = {}) =>
      createTarget({
        name: 'worker',
        config: { ...targetConfig(namespace, rollout), ...config },
        timing: { ...targetTiming, ...timing },
        client: cluster.client,
        pollers: async () => pollersOf(await placed.pods()),
        presentedByThisProcess: () => undefined,
        namespaces: [],
        ...given,
      }),
    pods: () => admin.list<Pod>(`/api/v1/namespaces/${namespace}/pods`),
    workload: async () => (await admin.get<Workload>(placed.workloadPath))!,
    settled: () =>
      eventually(async () => {
        const found = await placed.workload();
        return isSettled(found) && (await placed.pods()).length === wantedPods(found) && found;
      }),
  };
  if (pair) {
    await putSecret(admin, placed, pair);
    await admin.create(workloads, workloadObject(namespace, kind, options));
    await placed.settled();
  }
  return placed;
}

export const targetTiming = configSchema.shape.timing.parse({ secretPropagation: '0s', rolloutDeadline: '30s' });

export function targetConfig(namespace: string, rollout: TargetConfig['rollout']): TargetConfig {
  return {
    kind: 'kubernetes',
    authority: 'acme',
    namespace,
    secret: secretName,
    subject: { commonName: 'worker' },
    dnsNames: [],
    uris: [],
    algorithm: 'P-256',
    lifetime: 30 * 86_400_000,
    renew: 'always',
    rollout,
    canary: false,
    takeOwnership: false,
    allowOutage: false,
    allowIdle: false,
    taskQueues: [queue],
  };
}

/** What DescribeTaskQueue says when every pod polls. */
export function pollersOf(pods: readonly Pod[]): readonly Poller[] {
  const running = pods.filter(({ status }) => status?.phase === 'Running');
  return running.map(({ metadata }) => ({ identity: `1@${metadata!.name}`, lastAccessTime: new Date().toISOString() }));
}

/** As `kubectl create secret tls` does. */
export async function putSecret(
  admin: KubernetesClient,
  { namespace }: Pick<Placed, 'namespace'>,
  pair: KeyPair,
  more: object = {},
): Promise<void> {
  await admin.create(`/api/v1/namespaces/${namespace}/secrets`, { ...secretObject(namespace, pair), ...more });
}

export function secretObject(namespace: string, { certificate, key }: KeyPair) {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: secretName, namespace },
    data: { 'tls.crt': base64(certificate.pem), 'tls.key': base64(key.reveal()) },
  };
}

/** Pods that mount the Secret at /etc/certs and run `image`. */
export const mounting = (image: string) => ({
  containers: [
    {
      name: 'worker',
      image,
      env: [{ name: 'TLS_CERT', value: '/etc/certs/tls.crt' }],
      volumeMounts: [{ name: 'certs', mountPath: '/etc/certs' }],
    },
  ],
  volumes: [{ name: 'certs', secret: { secretName } }],
});

export function workloadObject(
  namespace: string,
  kind: WorkloadKind,
  options: PlacedOptions & { readonly name?: string },
) {
  const { name = workloadName, replicas = 2, image = 'worker', podSpec, spec } = options;
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace },
    spec: {
      ...(kind !== 'DaemonSet' && { replicas }),
      ...(kind === 'StatefulSet' && { serviceName: name }),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...mounting(image), ...podSpec } },
      ...spec,
    },
  };
}
