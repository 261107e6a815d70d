import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient, KubernetesObject, OwnerReference } from '../../kubernetes/client.js';
import {
  controllerOf,
  isFinished,
  isUnfinished,
  podsPath,
  templateOf,
  workloadKinds,
  workloadsPath,
  type CronJob,
  type Pod,
  type Workload,
  type WorkloadKind,
} from './objects.js';
import type { SecretPlace } from './secret.js';
import { usesSecret } from './uses.js';

/** A workload whose pods use the Secret, and that can be rolled. */
export interface Consumer {
  readonly kind: WorkloadKind;
  readonly name: string;
  /** Path of the object in the API. */
  readonly path: string;
  readonly workload: Workload;
}

/** A pod that uses the Secret. */
export interface UserPod {
  readonly pod: Pod;
  /** Absent: nothing that can be rolled owns it. */
  readonly consumer?: Consumer;
  /** Of its consumer's newest revision, whose template the controller has seen. */
  readonly newest: boolean;
}

/** All that uses the Secret: found by templates and by pods, owner references followed to their top (safety 20). */
export interface Users {
  readonly consumers: readonly Consumer[];
  /** Those that are going away included. */
  readonly pods: readonly UserPod[];
  /** What cannot be rolled, by name: bare pods, Jobs, CronJobs, and what belongs to a controller that is not known here. */
  readonly strangers: readonly string[];
}

/** Lists from the bottom up: an owner is older than what it owns, so that none is missed that is made meanwhile. */
export async function findUsers(client: KubernetesClient, place: SecretPlace): Promise<Users> {
  const { namespace, secret } = place;
  const batch = `/apis/batch/v1/namespaces/${namespace}`;
  const pods = await client.list<Pod>(podsPath(namespace));
  const [replicaSets, jobs] = await Promise.all([
    client.list<Workload>(workloadsPath(namespace, 'replicasets')),
    client.list<Workload>(`${batch}/jobs`),
  ]);
  const [workloads, cronJobs] = await Promise.all([
    listWorkloads(client, namespace),
    client.list<CronJob>(`${batch}/cronjobs`),
  ]);
  const family = new Family([...replicaSets, ...jobs]);
  const using = pods.filter((pod) => usesSecret(pod.spec, secret) && !isFinished(pod));
  const makers = [...jobs.filter(isUnfinished), ...cronJobs];
  const users = [...makers.filter((maker) => usesSecret(templateOf(maker), secret)), ...using];
  const consumers = workloads.filter(
    ({ workload }) => usesSecret(templateOf(workload), secret) || users.some((user) => family.isOf(user, workload)),
  );
  const strangers = users.filter((user) => !consumers.some(({ workload }) => family.isOf(user, workload)));
  return {
    consumers,
    pods: using.map((pod) => userPod(pod, consumers, family)),
    strangers: [...new Set(strangers.map((user) => family.nameOf(user)))],
  };
}

/** The pods of one consumer that use the Secret. */
export async function findPodsOf(
  client: KubernetesClient,
  place: SecretPlace,
  consumer: Consumer,
): Promise<readonly UserPod[]> {
  const pods = await client.list<Pod>(podsPath(place.namespace));
  const family = new Family(await client.list<Workload>(workloadsPath(place.namespace, 'replicasets')));
  return pods
    .filter((pod) => usesSecret(pod.spec, place.secret) && !isFinished(pod) && family.isOf(pod, consumer.workload))
    .map((pod) => userPod(pod, [consumer], family));
}

async function listWorkloads(client: KubernetesClient, namespace: string): Promise<readonly Consumer[]> {
  const found = await Promise.all(
    Object.entries(workloadKinds).map(async ([kind, resource]) => {
      const path = workloadsPath(namespace, resource);
      return (await client.list<Workload>(path)).map((workload) => {
        const name = workload.metadata!.name!;
        return { kind: kind as WorkloadKind, name, path: `${path}/${name}`, workload };
      });
    }),
  );
  return found.flat();
}

/** Throws UnknownOwner: the use of the old leaf by what cannot be rolled would stay unseen (safety 20). */
export function refuseStrangers({ strangers }: Users, { namespace, secret }: SecretPlace): void {
  if (strangers.length === 0) return;
  throw new RotationError(
    'UnknownOwner',
    `The Secret ${namespace}/${secret} is also used by what cannot be rolled: ${strangers.join(', ')}.`,
  );
}

function userPod(pod: Pod, consumers: readonly Consumer[], family: Family): UserPod {
  const consumer = consumers.find(({ workload }) => family.isOf(pod, workload));
  return consumer ? { pod, consumer, newest: isOfNewestRevision(pod, consumer, family) } : { pod, newest: false };
}

const revision = 'deployment.kubernetes.io/revision';

/** Each controller marks its revisions in a way of its own. */
function isOfNewestRevision(pod: Pod, { kind, workload }: Consumer, family: Family): boolean {
  const { generation, annotations } = workload.metadata ?? {};
  if ((workload.status?.observedGeneration ?? 0) < (generation ?? 0)) return false;
  const labels = pod.metadata?.labels ?? {};
  switch (kind) {
    case 'Deployment':
      return family.parentOf(pod)?.metadata?.annotations?.[revision] === annotations?.[revision];
    case 'StatefulSet':
      return labels['controller-revision-hash'] === workload.status?.updateRevision;
    case 'DaemonSet':
      return labels['pod-template-generation'] === annotations?.['deprecated.daemonset.template.generation'];
  }
}

/** Owner references, followed through what stands between a pod and the controller that a person knows. */
class Family {
  readonly #between: ReadonlyMap<string, KubernetesObject>;

  constructor(between: readonly KubernetesObject[]) {
    this.#between = new Map(between.map((object) => [object.metadata!.uid!, object]));
  }

  parentOf(object: KubernetesObject): KubernetesObject | undefined {
    return this.#between.get(controllerOf(object)?.uid ?? '');
  }

  isOf(object: KubernetesObject, workload: Workload): boolean {
    return this.#topOf(object)?.uid === workload.metadata?.uid;
  }

  /** `Rollout web`, `CronJob nightly`; `Pod x` for one that nobody owns. */
  nameOf(object: KubernetesObject): string {
    const { kind, name } = this.#topOf(object) ?? { kind: object.kind, name: object.metadata?.name };
    return `${kind} ${name}`;
  }

  #topOf(object: KubernetesObject): OwnerReference | undefined {
    const parent = this.parentOf(object);
    return (parent && this.#topOf(parent)) ?? controllerOf(object);
  }
}
