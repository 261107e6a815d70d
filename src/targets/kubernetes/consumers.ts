import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient } from '../../kubernetes/client.js';
import { workloadKinds, type Container, type Pod, type PodSpec, type Workload, type WorkloadKind } from './objects.js';

/** A workload whose pods use the Secret. */
export interface Consumer {
  readonly kind: WorkloadKind;
  readonly name: string;
  /** Path of the object in the API. */
  readonly path: string;
  readonly workload: Workload;
}

const paths: Readonly<Record<WorkloadKind, string>> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
};

/** Does a pod of this spec read the Secret: mounted (projected and CSI included), or as environment, init containers too? */
export function usesSecret(spec: PodSpec | undefined, secret: string): boolean {
  const mounted = spec?.volumes?.some(
    (volume) =>
      volume.secret?.secretName === secret ||
      volume.projected?.sources?.some((source) => source.secret?.name === secret) ||
      volume.csi?.nodePublishSecretRef?.name === secret,
  );
  return mounted === true || containersOf(spec).some((container) => readsSecretAsEnvironment(container, secret));
}

function readsSecretAsEnvironment({ env, envFrom }: Container, secret: string): boolean {
  return (
    (env?.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secret) ?? false) ||
    (envFrom?.some(({ secretRef }) => secretRef?.name === secret) ?? false)
  );
}

/** Environment variables and subPath mounts never see a new Secret without a restart. */
export function neverSeesUpdates(spec: PodSpec | undefined, secret: string): boolean {
  const volumes = (spec?.volumes ?? [])
    .filter((volume) => volume.secret?.secretName === secret)
    .map(({ name }) => name);
  return containersOf(spec).some(
    (container) =>
      readsSecretAsEnvironment(container, secret) ||
      container.volumeMounts?.some((mount) => mount.subPath !== undefined && volumes.includes(mount.name)),
  );
}

function containersOf(spec: PodSpec | undefined): readonly Container[] {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
}

/** All workloads of the namespace whose template uses the Secret. */
export async function findConsumers(
  client: KubernetesClient,
  namespace: string,
  secret: string,
): Promise<readonly Consumer[]> {
  const found = await Promise.all(
    workloadKinds.map(async (kind) => {
      const all = `/apis/apps/v1/namespaces/${namespace}/${paths[kind]}`;
      return (await client.list<Workload>(all))
        .filter((workload) => usesSecret(workload.spec?.template?.spec, secret))
        .map((workload) => ({
          kind,
          name: workload.metadata!.name!,
          path: `${all}/${workload.metadata!.name}`,
          workload,
        }));
    }),
  );
  return found.flat();
}

/** All pods of the namespace that use the Secret, those that are going away included. */
export async function findPods(client: KubernetesClient, namespace: string, secret: string): Promise<readonly Pod[]> {
  const pods = await client.list<Pod>(`/api/v1/namespaces/${namespace}/pods`);
  return pods.filter(
    (pod) => usesSecret(pod.spec, secret) && !['Succeeded', 'Failed'].includes(pod.status?.phase ?? ''),
  );
}

/**
 * Every pod must belong to a consumer that we can roll: a bare pod, a Job, an Argo Rollout is named and refused, because its
 * use of the old leaf would stay unseen (safety 20).
 */
export function refuseUnknownOwners(pods: readonly Pod[], consumers: readonly Consumer[]): void {
  const unknown = pods.filter((pod) => !consumers.some((consumer) => owns(consumer, pod)));
  if (unknown.length === 0) return;
  const names = unknown.map((pod) => {
    const owner = pod.metadata?.ownerReferences?.find(({ controller }) => controller);
    return `${pod.metadata?.name} (${owner ? `${owner.kind} ${owner.name}` : 'no owner'})`;
  });
  throw new RotationError(
    'UnknownOwner',
    `Pods that use the Secret and belong to no Deployment, StatefulSet or DaemonSet: ${names.join(', ')}.`,
  );
}

/** A pod of a Deployment belongs to a ReplicaSet `<deployment>-<hash>`; the pod-template-hash label gives the hash. */
export function owns({ kind, name }: Consumer, pod: Pod): boolean {
  const owner = pod.metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return false;
  if (kind !== 'Deployment') return owner.kind === kind && owner.name === name;
  const hash = pod.metadata?.labels?.['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash !== undefined && owner.name === `${name}-${hash}`;
}
