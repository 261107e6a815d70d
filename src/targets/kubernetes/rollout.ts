import { setTimeout as wait } from 'node:timers/promises';
import { short } from '../../domain/certificate.js';
import { RotationError } from '../../domain/failures.js';
import { ApiError, type KubernetesClient, type KubernetesObject } from '../../kubernetes/client.js';
import type { Delivery, Progress } from '../target.js';
import { pollsEveryQueue, type AdoptionFacts } from './adoption.js';
import { findPodsOf, type Consumer, type UserPod } from './consumers.js';
import { isReady, wantedPods, type Workload } from './objects.js';
import type { SecretPlace } from './secret.js';
import { isStamped, stampFor } from './stamp.js';
import { isCrashLooping, troubleOf } from './trouble.js';

/** One field manager per purpose: what one of them no longer applies, the API server drops (safety 17). */
const stampManager = 'cert-rotation/stamp';
const scaleManager = 'cert-rotation/scale';
/** How many pods a scaled-down workload had, on the workload itself: a crash in between loses no replica count. */
const replicasAnnotation = 'cert-rotation.temporal.io/replicas';
const lookEveryMs = 200;

export interface Rollout {
  readonly client: KubernetesClient;
  readonly place: SecretPlace;
  readonly delivery: Delivery;
  readonly deadlineMs: number;
  /** From a new pod that is ready to its first poll. */
  readonly pollDeadlineMs: number;
  /** Of the task queues that the target's pods must poll. */
  pollers(): Promise<AdoptionFacts['queues']>;
  readonly progress: Progress;
  /** Called before each change that restarts a workload. */
  restarting(): void;
}

/** Stamps the template and waits until only pods of that template are left, all available. */
export async function rollOutByStamp(rollout: Rollout, consumer: Consumer): Promise<void> {
  await namingFailures(async () => {
    const { spec } = await read(rollout, consumer);
    if (!isStamped(spec?.template, rollout.delivery)) {
      rollout.restarting();
      await stamp(rollout, consumer);
    }
    await settled(rollout, consumer);
  });
}

/**
 * The article's way: to 0 and back. Only where a person chose it, because nothing works in between. The stamp is set while
 * there are no pods: where it is, the way down is behind us, and what is recorded is the way back.
 */
export async function rollOutByScale(rollout: Rollout, consumer: Consumer): Promise<void> {
  await namingFailures(async () => {
    const workload = await read(rollout, consumer);
    const wasDown = isStamped(workload.spec?.template, rollout.delivery);
    const recorded = recordedReplicas(workload);
    if (wasDown && recorded === undefined) return settled(rollout, consumer);
    rollout.restarting();
    const replicas = recorded ?? workload.spec?.replicas ?? 1;
    if (!wasDown) await goDown(rollout, consumer, replicas);
    await scale(rollout, consumer, replicas);
    await settled(rollout, consumer);
    await annotate(rollout, consumer, {});
  });
}

async function read({ client }: Rollout, consumer: Consumer): Promise<Workload> {
  const workload = await client.get<Workload>(consumer.path);
  if (!workload) throw new RotationError('RolloutFailed', `${nameOf(consumer)} is gone.`);
  return workload;
}

async function goDown(rollout: Rollout, consumer: Consumer, replicas: number): Promise<void> {
  await annotate(rollout, consumer, { [replicasAnnotation]: String(replicas) });
  await scale(rollout, consumer, 0);
  await until(rollout, async () => {
    const pods = await findPodsOf(rollout.client, rollout.place, consumer);
    return pods.length === 0
      ? undefined
      : { line: `${nameOf(consumer)}: waiting for ${pods.length} pods to end`, pods };
  });
  await stamp(rollout, consumer);
}

/** Of a rollout by scale that has not ended: what the workload goes back to. */
export function recordedReplicas({ metadata }: Workload): number | undefined {
  const text = metadata?.annotations?.[replicasAnnotation];
  return text === undefined ? undefined : Number(text);
}

const nameOf = ({ kind, name }: Consumer): string => `${kind} ${name}`;

async function stamp({ client, delivery }: Rollout, consumer: Consumer): Promise<void> {
  const template = { metadata: { annotations: stampFor(delivery) } };
  await client.apply<Workload>(consumer.path, { ...identity(consumer), spec: { template } }, stampManager);
}

async function annotate({ client }: Rollout, consumer: Consumer, annotations: Record<string, string>): Promise<void> {
  const { metadata, ...rest } = identity(consumer);
  await client.apply<Workload>(consumer.path, { ...rest, metadata: { ...metadata, annotations } }, scaleManager);
}

/** With the uid, so that a namesake made meanwhile is a conflict. */
function identity({ kind, name, workload }: Consumer): KubernetesObject {
  const { namespace, uid } = workload.metadata!;
  return { apiVersion: 'apps/v1', kind, metadata: { name, namespace: namespace!, uid: uid! } };
}

async function scale({ client }: Rollout, { path }: Consumer, replicas: number): Promise<void> {
  await client.patch(`${path}/scale`, [{ op: 'replace', path: '/spec/replicas', value: replicas }], scaleManager);
}

async function settled(rollout: Rollout, consumer: Consumer): Promise<void> {
  const firstPoll = new FirstPoll(rollout);
  await until(rollout, async () => {
    const workload = await read(rollout, consumer);
    const pods = await findPodsOf(rollout.client, rollout.place, consumer);
    const done = pods.filter(({ pod }) => isStamped(pod, rollout.delivery) && !pod.metadata?.deletionTimestamp);
    const line = `${nameOf(consumer)} rolls onto leaf ${short(rollout.delivery.leaf)}: ${done.length} of ${wantedPods(workload)} pods are new, ${pods.length - done.length} old`;
    const silent = await firstPoll.missing(done);
    const look = {
      line: silent ? `${line}; ${silent}` : line,
      pods: done,
      trouble: hopeless(workload, done) ?? firstPoll.trouble,
    };
    return isSettled(workload) && done.length === pods.length && !silent ? undefined : look;
  });
}

/**
 * Nothing counts as success before one of the new pods polls: ready is what a pod says of itself. When one is ready and none
 * polls in time, the others need not be lost as well (safety 21).
 */
class FirstPoll {
  readonly #rollout: Rollout;
  #seen = false;
  #readySince: number | undefined;
  /** Why waiting for it is of no use any more. */
  trouble: string | undefined;

  constructor(rollout: Rollout) {
    this.#rollout = rollout;
  }

  /** What the first new pod that is ready still lacks; undefined when there is none yet, or one has polled. */
  async missing(pods: readonly UserPod[]): Promise<string | undefined> {
    const ready = pods.filter(({ pod }) => isReady(pod));
    if (this.#seen || ready.length === 0) return undefined;
    const queues = await this.#rollout.pollers();
    const lacks = ready.map(({ pod }) => pollsEveryQueue({ pod, queues }));
    this.#seen = lacks.includes(undefined);
    if (this.#seen) return undefined;
    const silent = `pod ${ready[0]!.pod.metadata?.name} is ready and ${lacks[0]}`;
    const { pollDeadlineMs } = this.#rollout;
    this.#readySince ??= Date.now();
    if (Date.now() - this.#readySince >= pollDeadlineMs)
      this.trouble = `no new pod polled in ${pollDeadlineMs / 1000} s`;
    return silent;
  }
}

/** The controller has seen the newest template, and every pod is of it and available (`kubectl rollout status`). */
export function isSettled(workload: Workload): boolean {
  const { status } = workload;
  const wanted = wantedPods(workload);
  const updated = status?.updatedNumberScheduled ?? status?.updatedReplicas ?? 0;
  const available = status?.numberAvailable ?? status?.availableReplicas ?? 0;
  return (
    hasSeenTemplate(workload) && updated === wanted && available === wanted && (status?.replicas ?? wanted) === wanted
  );
}

function hasSeenTemplate({ metadata, status }: Workload): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
}

/** Why waiting is of no use: the progress deadline, once the controller speaks of the newest template, or a crash loop. */
function hopeless(workload: Workload, pods: readonly UserPod[]): string | undefined {
  const stuck = workload.status?.conditions?.find(({ reason }) => reason === 'ProgressDeadlineExceeded');
  if (stuck && hasSeenTemplate(workload)) return (stuck.message ?? stuck.reason)?.replace(/\.$/, '');
  return pods.some(({ pod }) => isCrashLooping(pod)) ? 'crash loop' : undefined;
}

interface Look {
  /** What is waited for. */
  readonly line: string;
  readonly pods: readonly UserPod[];
  /** Waiting is of no use. */
  readonly trouble?: string | undefined;
}

/** Looks until nothing is left to wait for. Throws RolloutFailed, with the pods and their last messages. */
async function until({ deadlineMs, progress }: Rollout, look: () => Promise<Look | undefined>): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (let seen = await look(); seen; seen = await look()) {
    progress.report(seen.line);
    const trouble = seen.trouble ?? (Date.now() >= deadline ? `not finished in ${deadlineMs / 1000} s` : undefined);
    if (trouble) {
      const pods = seen.pods.map(({ pod }) => troubleOf(pod));
      throw new RotationError('RolloutFailed', `${[seen.line, trouble, ...pods].join('; ')}.`);
    }
    await wait(lookEveryMs, undefined, { signal: progress.signal });
  }
}

/** What the API server refuses of a rollout (an admission rule, a quota) is a failure of the rollout. */
async function namingFailures(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new RotationError('RolloutFailed', `${error.message}.`, { cause: error });
  }
}
