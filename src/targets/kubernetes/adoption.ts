import type { Fingerprint } from '../../domain/certificate.js';
import type { Delivery, HolderEvidence, Poller } from '../target.js';
import { isReady, stampOf, troubleOf, type Pod } from './objects.js';

export interface AdoptionFacts {
  readonly pod: Pod;
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
    evidence: facts.presented ? `presents the leaf${polls}` : `started with the leaf, ready${polls}`,
  };
}

type Check = (facts: AdoptionFacts) => string | undefined;

const checks: readonly Check[] = [notGoingAway, reportsOrCarriesStamp, createdAfterPropagation, ready, pollsEveryQueue];

function notGoingAway({ pod }: AdoptionFacts): string | undefined {
  return pod.metadata?.deletionTimestamp ? 'is still ending, with the certificate it had' : undefined;
}

function reportsOrCarriesStamp({ pod, delivery, presented, reloads }: AdoptionFacts): string | undefined {
  if (presented === delivery.leaf) return undefined;
  if (presented) return 'presents another certificate';
  if (reloads) return 'does not report which certificate it presents';
  return stampOf(pod) === delivery.leaf ? undefined : 'was started with another certificate';
}

function createdAfterPropagation({ pod, delivery, propagationMs, presented }: AdoptionFacts): string | undefined {
  if (presented) return undefined;
  const created = Date.parse(pod.metadata?.creationTimestamp ?? '');
  return created >= Math.floor((Date.parse(delivery.at) + propagationMs) / 1000) * 1000
    ? undefined
    : 'was created before every kubelet had the new Secret';
}

function ready({ pod }: AdoptionFacts): string | undefined {
  return isReady(pod) ? undefined : `is not ready: ${troubleOf(pod)}`;
}

function pollsEveryQueue({ pod, queues }: AdoptionFacts): string | undefined {
  const name = pod.metadata?.name ?? '';
  const created = Date.parse(pod.metadata?.creationTimestamp ?? '');
  const unpolled = queues.find(
    ({ pollers }) =>
      !pollers.some(({ identity, lastAccessTime }) => identity.includes(name) && Date.parse(lastAccessTime) >= created),
  );
  return unpolled && `does not poll task queue ${unpolled.name}`;
}
