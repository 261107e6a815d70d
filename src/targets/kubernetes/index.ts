import { setTimeout as wait } from 'node:timers/promises';
import type { TargetConfig, Timing } from '../../config/schema.js';
import type { Fingerprint } from '../../domain/certificate.js';
import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient } from '../../kubernetes/client.js';
import type { Adoption, Delivery, Poller, Progress, Target, TargetFacts } from '../target.js';
import { judgePod } from './adoption.js';
import { findConsumers, findPods, neverSeesUpdates, refuseUnknownOwners, type Consumer } from './consumers.js';
import { rollOutByScale, rollOutByStamp, isSettled } from './rollout.js';
import { deliveryOf, pairOf, readUsableSecret, writePair } from './secret.js';

export interface KubernetesTargetOptions {
  readonly name: string;
  readonly config: TargetConfig;
  readonly timing: Timing;
  readonly client: KubernetesClient;
  pollers(taskQueue: { namespace: string; name: string }): Promise<readonly Poller[]>;
  /** What this very process presents, where it is a pod of the target. */
  presentedByThisProcess(): { readonly pod: string; readonly fingerprint: Fingerprint } | undefined;
}

/** Target `kubernetes`: a Secret of type kubernetes.io/tls and every workload whose pods use it. */
export function createKubernetesTarget(options: KubernetesTargetOptions): Target {
  const { config, timing, client } = options;
  const { namespace, secret, rollout } = config;

  async function consumers(): Promise<readonly Consumer[]> {
    const found = await findConsumers(client, namespace, secret);
    refuseUnknownOwners(await findPods(client, namespace, secret), found);
    if (found.length === 0)
      throw new RotationError('NoConsumer', `No workload in ${namespace} uses the Secret ${secret}.`);
    return found;
  }

  async function inspect(): Promise<TargetFacts> {
    const current = pairOf(await readUsableSecret(client, { namespace, secret }));
    const found = await consumers();
    found.forEach(refuseUnhealthy);
    return {
      ...(current && { current: current.certificate }),
      consumers: found.map(({ kind, name }) => `${kind} ${namespace}/${name}`),
      warnings: found.flatMap((consumer) => warningsOf(consumer)),
    };
  }

  function refuseUnhealthy({ kind, name, workload }: Consumer): void {
    if (workload.spec?.paused && rollout === 'rolling') {
      throw new RotationError('WorkloadUnhealthy', `${kind} ${name} is paused: a rollout would never happen.`);
    }
    if (workload.spec?.updateStrategy?.type === 'OnDelete' && rollout === 'rolling') {
      throw new RotationError(
        'WorkloadUnhealthy',
        `${kind} ${name} updates on delete only: a rollout would never happen.`,
      );
    }
    if (!isSettled(workload))
      throw new RotationError(
        'WorkloadUnhealthy',
        `${kind} ${name} is not settled: pods are missing or not available.`,
      );
  }

  function warningsOf({ kind, name, workload }: Consumer): string[] {
    const warnings: string[] = [];
    if (workload.spec?.strategy?.type === 'Recreate')
      warnings.push(`${kind} ${name} recreates its pods: nothing works meanwhile`);
    if (workload.spec?.replicas === 1 && rollout === 'rolling') warnings.push(`${kind} ${name} has one replica`);
    if (rollout === 'none' && neverSeesUpdates(workload.spec?.template?.spec, secret)) {
      warnings.push(
        `${kind} ${name} reads the Secret by subPath or environment: it never sees a new one without a restart`,
      );
    }
    return warnings;
  }

  async function rollOut(delivery: Delivery, progress: Progress): Promise<void> {
    await propagate(delivery, progress);
    if (rollout === 'none') return;
    const work = { client, namespace, secret, delivery, deadlineMs: timing.rolloutDeadline, progress };
    for (const consumer of await findConsumers(client, namespace, secret)) {
      await (rollout === 'rolling' ? rollOutByStamp(work, consumer) : rollOutByScale(work, consumer));
    }
  }

  /** A kubelet with a late cache gives even a new pod the old Secret: wait until none can be late any more. */
  async function propagate(delivery: Delivery, progress: Progress): Promise<void> {
    const until = Date.parse(delivery.at) + timing.secretPropagation + 1000;
    for (let left = until - Date.now(); left > 0; left = until - Date.now()) {
      progress.report(`waiting ${Math.ceil(left / 1000)} s until every node has the new Secret`);
      await wait(Math.min(left, 1000), undefined, { signal: progress.signal });
    }
  }

  async function adoption(delivery: Delivery): Promise<Adoption> {
    const pods = await findPods(client, namespace, secret);
    const queues = await Promise.all(
      config.taskQueues.map(async (queue) => ({ name: queue.name, pollers: await options.pollers(queue) })),
    );
    const presented = options.presentedByThisProcess();
    const holders = pods.map((pod) =>
      judgePod({
        pod,
        delivery,
        propagationMs: timing.secretPropagation,
        queues,
        presented: presented?.pod === pod.metadata?.name ? presented?.fingerprint : undefined,
        reloads: rollout === 'none',
      }),
    );
    const idle = pods.length === 0 && !config.allowIdle;
    return { adopted: !idle && holders.every((holder) => holder.adopted), holders };
  }

  return {
    inspect,
    read: async () => pairOf(await readUsableSecret(client, { namespace, secret })),
    deliver: (leaf) => writePair(client, { namespace, secret }, leaf),
    delivered: async () => deliveryOf(await readUsableSecret(client, { namespace, secret })),
    rollOut,
    adoption,
  };
}
