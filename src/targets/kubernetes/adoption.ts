import { isOfPod } from '../../domain/pollers.js';
import type { Fingerprint } from '../../domain/certificate.js';
import type { Delivery, HolderEvidence, Poller } from '../target.js';
import type { UserPod } from './consumers.js';
import { isReady } from './objects.js';
import { isStamped } from './stamp.js';
import { troubleOf } from './trouble.js';

export interface AdoptionFacts extends UserPod {
  readonly delivery: Delivery;
  /** From the write of the Secret until every kubelet has it; a pod that is older may have been given the old one. */
  readonly propagationMs: number;
  /** Pollers of each task queue that the target's pods must poll. */
  readonly queues: readonly { readonly name: string; readonly pollers: readonly Poller[] }[];
  /** Fingerprint that this pod reports to present; undefined where nobody reports. */
  readonly presented?: Fingerprint | undefined;
  /** The workload reloads by itself: a restart is no evidence, only a report is. */
  readonly reloads: boolean;
}

/** Is this pod proved to use the leaf (safety 19)? Either it reports it, or everything that would make it otherwise is excluded. */
export function judgePod(facts: AdoptionFacts): HolderEvidence {
  const name = facts.pod.metadata?.name ?? '';
  const missing = checks.map((check) => check(facts)).find((reason) => reason !== undefined);
  if (missing) return { name, adopted: false, evidence: missing };
  const polls = facts.queues.length > 0 ? `, polls ${facts.queues.map(({ name: queue }) => queue).join(', ')}` : '';
  return {
    name,
    adopted: true,
    evidence: facts.presented
      ? `presents the leaf${polls}`
      : `started with the leaf, ready${polls || ', polls nothing that is looked at'}`,
  };
}

type Check = (facts: AdoptionFacts) => string | undefined;

const checks: readonly Check[] = [
  notGoingAway,
  reportsOrCarriesStamp,
  ofNewestRevision,
  createdAfterPropagation,
  ready,
  pollsEveryQueue,
];

function notGoingAway({ pod }: AdoptionFacts): string | undefined {
  return pod.metadata?.deletionTimestamp ? 'is still ending, with the certificate it had' : undefined;
}

function reportsOrCarriesStamp({ pod, consumer, delivery, presented, reloads }: AdoptionFacts): string | undefined {
  if (presented === delivery.leaf) return undefined;
  if (presented) return 'presents another certificate';
  if (reloads) return 'does not report which certificate it presents';
  if (!consumer) return 'belongs to nothing that can be rolled';
  return isStamped(pod, delivery) ? undefined : 'was started with another certificate';
}

function ofNewestRevision({ newest, presented }: AdoptionFacts): string | undefined {
  return presented || newest ? undefined : 'is not of the newest revision';
}

/** Both times are whole seconds, rounded down: the second in which a kubelet may still have been late does not count. */
function createdAfterPropagation({ pod, delivery, propagationMs, presented }: AdoptionFacts): string | undefined {
  if (presented) return undefined;
  const created = Date.parse(pod.metadata?.creationTimestamp ?? '');
  return created >= propagatedAt(delivery, propagationMs).getTime()
    ? undefined
    : 'was created before every kubelet had the new Secret';
}

/** By the API server's clock, from here on no kubelet has the former Secret any more. */
export function propagatedAt({ at }: Delivery, propagationMs: number): Date {
  return new Date(Date.parse(at) + propagationMs + 1000);
}

function ready({ pod }: AdoptionFacts): string | undefined {
  return isReady(pod) ? undefined : `is not ready: ${troubleOf(pod)}`;
}

/** What is missing for the pod to have polled every one of the queues, since it was made. */
export function pollsEveryQueue({ pod, queues }: Pick<AdoptionFacts, 'pod' | 'queues'>): string | undefined {
  const name = pod.metadata?.name ?? '';
  const created = Date.parse(pod.metadata?.creationTimestamp ?? '');
  const unpolled = queues.find(
    ({ pollers }) =>
      !pollers.some(({ identity, lastAccessTime }) => isOfPod(identity, name) && Date.parse(lastAccessTime) >= created),
  );
  return unpolled && `does not poll task queue ${unpolled.name}`;
}
