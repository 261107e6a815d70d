import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesObject } from '../../kubernetes/client.js';
import type { Workload } from '../../targets/kubernetes/objects.js';
import { isSettled } from '../../targets/kubernetes/rollout.js';
import type { Span } from '../gateway/measures.js';
import { pollKinds, pollSpans } from '../gateway/polls.js';
import { booking } from '../configuration.js';
import type { Sandbox } from '../index.js';

const deployment = '/apis/apps/v1/namespaces/temporal-booking/deployments/temporal-booking-worker';
const pods = '/api/v1/namespaces/temporal-booking/pods';
const lookEveryMs = 50;

export interface RolloutWatch {
  /**
   * From when the Deployment had a new template until only its pods were left, all available and polling. Throws when it did
   * not roll.
   */
  stop(): Promise<Span>;
}

/**
 * Watches the booking workers' Deployment from outside, so that what a rotation says of its own rollout does not decide how long
 * that took.
 */
export async function watchRollout(sandbox: Sandbox): Promise<RolloutWatch> {
  const { admin } = sandbox.kubernetes;
  const before = generationOf(await admin.get<Workload>(deployment));
  const stopped = new AbortController();
  let from: number | undefined;
  let settledSince: number | undefined;

  async function look(): Promise<void> {
    const workload = await admin.get<Workload>(deployment);
    if (!workload || generationOf(workload) === before) return;
    from ??= Date.now();
    const settled =
      isSettled(workload) && (await admin.list<KubernetesObject>(pods)).length === workload.spec?.replicas;
    settledSince = settled ? (settledSince ?? Date.now()) : undefined;
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await look();
      await wait(lookEveryMs);
    }
  }

  const running = run();
  // Its error is thrown where the watch ends.
  running.catch(() => undefined);
  return {
    async stop() {
      stopped.abort();
      await running;
      await look();
      if (from === undefined || settledSince === undefined)
        throw new Error('the workers were not rolled out to the end');
      return { from, to: Math.max(settledSince, await lastFirstPoll(sandbox)) };
    },
  };
}

const generationOf = (workload: Workload | undefined): number => workload?.metadata?.generation ?? 0;

/** When the last of the workers that run now began to poll. */
async function lastFirstPoll({ gateway, nodeAgent }: Sandbox): Promise<number> {
  const record = await gateway.record();
  const running = new Set([...nodeAgent.pods()].map(([pod, pid]) => `${pid}@${pod}`));
  const first = pollKinds.flatMap((kind) => {
    const since = new Map<string, number>();
    for (const { worker, from } of pollSpans(record, kind, booking.taskQueue))
      if (running.has(worker)) since.set(worker, Math.min(from, since.get(worker) ?? Infinity));
    return [...since.values()];
  });
  return Math.max(...first);
}
