import { setTimeout as wait } from 'node:timers/promises';
import type { TargetConfig, Timing } from '../../config/schema.js';
import { isExpired, type Fingerprint } from '../../domain/certificate.js';
import { presentedBy, presentedQueue } from '../../domain/reports.js';
import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient } from '../../kubernetes/client.js';
import type { Adoption, Delivery, HolderEvidence, Poller, Progress, Target, TargetFacts } from '../target.js';
import { assertAccess } from './access.js';
import { judgePod, propagatedAt } from './adoption.js';
import { findUsers, refuseStrangers, type Consumer } from './consumers.js';
import { gapOf } from './gap.js';
import { refuseUnhealthy, warningsOf } from './health.js';
import { wantedPods } from './objects.js';
import { refuseOutage } from './outage.js';
import { rollOutByScale, rollOutByStamp } from './rollout.js';
import { deliveryOf, makerOf, pairOf, readUsableSecret, refuseOwned, writePair } from './secret.js';

export interface KubernetesTargetOptions {
  readonly name: string;
  readonly config: TargetConfig;
  readonly timing: Timing;
  readonly client: KubernetesClient;
  pollers(taskQueue: { namespace: string; name: string }): Promise<readonly Poller[]>;
  /** What this very process presents, where it is a pod of the target. */
  presentedByThisProcess(): { readonly pod: string; readonly fingerprint: Fingerprint } | undefined;
  /** What its leaf is for: where pods report that poll no task queue of the configuration, as the rotation worker itself. */
  readonly namespaces: readonly string[];
}

/** Target `kubernetes`: a Secret of type kubernetes.io/tls and every workload whose pods use it. */
export function createKubernetesTarget(options: KubernetesTargetOptions): Target {
  const { config, timing, client } = options;
  const { rollout, namespace, secret: name, takeOwnership } = config;
  const place = { namespace, secret: name, takeOwnership };
  const secretName = `Secret ${place.namespace}/${place.secret}`;

  async function inspect(): Promise<TargetFacts> {
    const secret = await readUsableSecret(client, place);
    refuseOwned(secret, place);
    const users = await findUsers(client, place);
    refuseStrangers(users, place);
    const { consumers } = users;
    if (consumers.length === 0)
      throw new RotationError('NoConsumer', `No workload in ${place.namespace} uses the Secret ${place.secret}.`);
    await assertAccess(client, { config, secretExists: secret !== undefined, consumers });
    const current = pairOf(secret);
    const expired = current !== undefined && isExpired(current.certificate, new Date());
    consumers.forEach((consumer) => refuseUnhealthy(consumer, rollout, expired));
    await refuseOutage(client, config, consumers);
    const gap = consumers.map((consumer) => gapOf(consumer, rollout)).find((found) => found !== undefined);
    const maker = makerOf(secret);
    return {
      ...(current && { current: current.certificate }),
      ...(gap && { gap }),
      consumers: consumers.map(({ kind, name }) => `${kind} ${place.namespace}/${name}`),
      warnings: [
        ...(maker ? [`${secretName} is made by ${maker}: takeOwnership has it written all the same`] : []),
        ...consumers.flatMap((consumer) => warningsOf(consumer, config)),
      ],
    };
  }

  async function delivered(): Promise<Delivery | undefined> {
    return deliveryOf(await readUsableSecret(client, place));
  }

  /** Why the delivery is not, or not any more, what new pods get; undefined if it is. */
  async function replaced({ leaf, at }: Delivery): Promise<string | undefined> {
    const now = await delivered();
    if (now?.leaf !== leaf) return 'holds another certificate';
    return now.at === at ? undefined : `was written again at ${now.at}`;
  }

  async function rollOut(delivery: Delivery, progress: Progress, restarting = () => {}): Promise<void> {
    if (rollout === 'none') return;
    await propagate(delivery, progress);
    const reason = await replaced(delivery);
    if (reason) throw new RotationError('SecretMismatch', `${secretName} ${reason}; nothing was restarted.`);
    const { rolloutDeadline: deadlineMs, pollDeadline: pollDeadlineMs } = timing;
    const work = {
      client,
      place,
      delivery,
      deadlineMs,
      pollDeadlineMs,
      pollers: pollersOfQueues,
      progress,
      restarting,
    };
    for (const consumer of (await findUsers(client, place)).consumers) {
      await (rollout === 'rolling' ? rollOutByStamp(work, consumer) : rollOutByScale(work, consumer));
    }
  }

  /** A kubelet with a late cache gives even a new pod the old Secret: wait until none can be late any more. */
  async function propagate(delivery: Delivery, progress: Progress): Promise<void> {
    const until = propagatedAt(delivery, timing.secretPropagation).getTime();
    for (;;) {
      const left = until - (await client.time()).getTime();
      if (left <= 0) return;
      progress.report(`waiting ${Math.ceil(left / 1000)} s until every node has the new Secret`);
      // The API server's clock tells whole seconds: the last one ends somewhere within the next.
      await wait(left > 1000 ? 1000 : 50, undefined, { signal: progress.signal });
    }
  }

  async function adoption(delivery: Delivery): Promise<Adoption> {
    const reason = await replaced(delivery);
    const { consumers, pods } = await findUsers(client, place);
    const queues = await pollersOfQueues();
    const reports = await reportsOfPods();
    const own = options.presentedByThisProcess();
    /** Of several processes in a pod, and of several connections in a process, each must present the leaf. */
    const presented = (pod: string): Fingerprint | undefined => {
      const leaves = own?.pod === pod ? [own.fingerprint] : presentedBy(pod, reports);
      return leaves.find((leaf) => leaf !== delivery.leaf) ?? leaves[0];
    };
    const holders = [
      ...(reason ? [{ name: secretName, adopted: false, evidence: reason }] : []),
      ...consumers.filter((consumer) => !pods.some((pod) => pod.consumer === consumer)).flatMap(missingPods),
      ...pods.map((user) =>
        judgePod({
          ...user,
          delivery,
          propagationMs: timing.secretPropagation,
          queues,
          presented: presented(user.pod.metadata?.name ?? ''),
          reloads: rollout === 'none',
        }),
      ),
    ];
    return { adopted: consumers.length > 0 && holders.every((holder) => holder.adopted), holders };
  }

  async function pollersOfQueues() {
    return Promise.all(
      config.taskQueues.map(async (queue) => ({ name: queue.name, pollers: await options.pollers(queue) })),
    );
  }

  /** What pods say that they present, in the namespaces that they poll. */
  async function reportsOfPods(): Promise<readonly Poller[]> {
    const polled = config.taskQueues.map((queue) => queue.namespace);
    const namespaces = new Set(polled.length > 0 ? polled : options.namespaces);
    const reports = [...namespaces].map((namespace) => options.pollers({ namespace, name: presentedQueue }));
    return (await Promise.all(reports)).flat();
  }

  /** No pod proves nothing, unless none is wanted and a person said that this may be so. */
  function missingPods({ kind, name, workload }: Consumer): readonly HolderEvidence[] {
    if (config.allowIdle && wantedPods(workload) === 0) return [];
    return [{ name: `${kind} ${name}`, adopted: false, evidence: 'has no pods' }];
  }

  return {
    inspect,
    read: async () => pairOf(await readUsableSecret(client, place)),
    deliver: (leaf) => writePair(client, place, leaf),
    delivered,
    rollOut,
    adoption,
  };
}
