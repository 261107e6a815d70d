import { setTimeout as wait } from 'node:timers/promises';
import { short } from '../../domain/certificate.js';
import { RotationError } from '../../domain/failures.js';
import { ApiError, type KubernetesClient } from '../../kubernetes/client.js';
import type { Delivery, Progress } from '../target.js';
import { findPods, owns, type Consumer } from './consumers.js';
import { stampAnnotation, stampOf, troubleOf, type Workload } from './objects.js';

const stampManager = 'cert-rotation/stamp';
const scaleManager = 'cert-rotation/scale';
/** How many pods a scaled-down workload had, on the workload itself: a crash in between loses no replica count. */
const replicasAnnotation = 'cert-rotation.temporal.io/replicas';
const lookEveryMs = 300;

export interface Rollout {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly secret: string;
  readonly delivery: Delivery;
  readonly deadlineMs: number;
  readonly progress: Progress;
}

/** Stamps the template with the leaf's fingerprint and waits until only pods of that template are left, all available. */
export async function rollOutByStamp(rollout: Rollout, consumer: Consumer): Promise<void> {
  const { client, delivery, namespace } = rollout;
  if (stampOf(consumer.workload.spec?.template) !== delivery.leaf) {
    await client.apply<Workload>(
      consumer.path,
      {
        apiVersion: 'apps/v1',
        kind: consumer.kind,
        metadata: { name: consumer.name, namespace },
        spec: { template: { metadata: { annotations: { [stampAnnotation]: delivery.leaf } } } },
      },
      stampManager,
    );
  }
  await settled(rollout, consumer, `${consumer.kind} ${consumer.name} rolls onto leaf ${short(delivery.leaf)}`);
}

/** The article's way: to 0 and back. Only where a person chose it, because nothing works in between. */
export async function rollOutByScale(rollout: Rollout, consumer: Consumer): Promise<void> {
  const { client, delivery } = rollout;
  if (stampOf(consumer.workload.spec?.template) === delivery.leaf && !recordedReplicas(consumer.workload)) {
    return settled(rollout, consumer, `${consumer.name} comes back`);
  }
  const replicas = recordedReplicas(consumer.workload) ?? consumer.workload.spec?.replicas ?? 1;
  await annotateReplicas(rollout, consumer, replicas);
  await scale(client, consumer, 0);
  await until(rollout, `${consumer.name}: waiting for its pods to end`, async () => {
    const pods = await findPods(client, rollout.namespace, rollout.secret);
    return !pods.some((pod) => owns(consumer, pod));
  });
  await rollOutByStamp({ ...rollout }, { ...consumer, workload: {} });
  await scale(client, consumer, replicas);
  await settled(rollout, consumer, `${consumer.name} comes back with ${replicas} replicas`);
  await annotateReplicas(rollout, consumer, undefined);
}

function recordedReplicas(workload: Workload): number | undefined {
  const text = workload.metadata?.annotations?.[replicasAnnotation];
  return text === undefined ? undefined : Number(text);
}

async function annotateReplicas(
  { client, namespace }: Rollout,
  consumer: Consumer,
  replicas: number | undefined,
): Promise<void> {
  await client.apply<Workload>(
    consumer.path,
    {
      apiVersion: 'apps/v1',
      kind: consumer.kind,
      metadata: {
        name: consumer.name,
        namespace,
        ...(replicas !== undefined && { annotations: { [replicasAnnotation]: String(replicas) } }),
      },
    },
    scaleManager,
  );
}

async function scale(client: KubernetesClient, consumer: Consumer, replicas: number): Promise<void> {
  await client.patch(`${consumer.path}/scale`, [{ op: 'replace', path: '/spec/replicas', value: replicas }]);
}

async function settled(rollout: Rollout, consumer: Consumer, line: string): Promise<void> {
  await until(rollout, line, async () => {
    const workload = await rollout.client.get<Workload>(consumer.path);
    if (!workload) throw new RotationError('RolloutFailed', `${consumer.kind} ${consumer.name} is gone.`);
    const stuck = workload.status?.conditions?.find(({ reason }) => reason === 'ProgressDeadlineExceeded');
    if (stuck)
      throw new RotationError(
        'RolloutFailed',
        `${consumer.name}: ${stuck.message ?? stuck.reason}. ${await trouble(rollout, consumer)}`,
      );
    return isSettled(workload) && (await onlyNewPods(rollout, consumer));
  });
}

/** The controller has seen the newest template, and every pod is of it and available (`kubectl rollout status`). */
export function isSettled({ metadata, spec, status }: Workload): boolean {
  if ((status?.observedGeneration ?? 0) < (metadata?.generation ?? 0)) return false;
  const wanted = status?.desiredNumberScheduled ?? spec?.replicas ?? 1;
  const updated = status?.updatedNumberScheduled ?? status?.updatedReplicas ?? 0;
  const available = status?.numberAvailable ?? status?.availableReplicas ?? 0;
  return updated === wanted && available === wanted && (status?.replicas ?? wanted) === wanted;
}

async function onlyNewPods({ client, namespace, secret, delivery }: Rollout, consumer: Consumer): Promise<boolean> {
  const pods = (await findPods(client, namespace, secret)).filter((pod) => owns(consumer, pod));
  return pods.every((pod) => stampOf(pod) === delivery.leaf && !pod.metadata?.deletionTimestamp);
}

async function trouble({ client, namespace, secret, delivery }: Rollout, consumer: Consumer): Promise<string> {
  const pods = (await findPods(client, namespace, secret)).filter(
    (pod) => owns(consumer, pod) && stampOf(pod) === delivery.leaf,
  );
  return pods.map(troubleOf).join('; ');
}

async function until(rollout: Rollout, line: string, done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + rollout.deadlineMs;
  for (;;) {
    try {
      if (await done()) return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new RotationError('RolloutFailed', error.message, { cause: error });
    }
    rollout.progress.report(line);
    if (Date.now() >= deadline) {
      const pods = await findPods(rollout.client, rollout.namespace, rollout.secret);
      const missing = pods.filter((pod) => stampOf(pod) === rollout.delivery.leaf).map(troubleOf);
      throw new RotationError(
        'RolloutFailed',
        `Not finished in ${rollout.deadlineMs / 1000} s: ${line}. ${missing.join('; ')}`,
      );
    }
    await wait(lookEveryMs, undefined, { signal: rollout.progress.signal });
  }
}
