import type { Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import type { Evidence, LeafRotationResult } from '../domain/rotation.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authority.js';
import type { Dependencies } from './dependencies.js';
import { targetConfig, targetsOf } from './plan.js';

interface TargetEvidence {
  readonly lines: readonly string[];
  readonly missing: readonly string[];
  /** Names of the pods that use the target's leaf. */
  readonly holders: readonly string[];
}

/**
 * Reads from primary sources, now, whether every target of the authority is on the new CA: the certificate in its Secret,
 * signature verified, and the adoption of every pod. `confirm` shows it to people; the removal gathers it again itself.
 */
export async function gatherEvidence(
  deps: Dependencies,
  { authority, ca, leaves }: { authority: string; ca: Fingerprint; leaves: readonly LeafRotationResult[] },
): Promise<Evidence> {
  const parts: TargetEvidence[] = [];
  for (const target of targetsOf(deps, authority)) {
    parts.push(await targetEvidence(deps, { authority, ca, target }));
  }
  const missing = parts.flatMap((part) => part.missing);
  const holders = parts.flatMap((part) => part.holders);
  const movedAt = Math.max(0, ...leaves.map((leaf) => Date.parse(leaf.deliveredAt ?? '') || 0));
  return {
    complete: missing.length === 0,
    lines: parts.flatMap((part) => part.lines),
    missing,
    unknownPollers: await unknownPollers(deps, authority, holders, movedAt + deps.config.timing.soak / 2),
  };
}

async function targetEvidence(
  deps: Dependencies,
  { authority, ca, target }: { authority: string; ca: Fingerprint; target: string },
): Promise<TargetEvidence> {
  const certificate = await new Authorities(deps).certificate(authority, ca);
  if (!certificate) throw new RotationError('AuthorityKeyMissing', `The keystore has no CA ${ca}.`);
  const current = (await deps.target(target).inspect()).current;
  const delivery = await deps.target(target).delivered();
  if (!current || !signedBy(current, certificate) || delivery?.leaf !== current.fingerprint) {
    return { lines: [], holders: [], missing: [`${target}: its Secret does not hold a leaf of the new CA`] };
  }
  const adoption = await deps.target(target).adoption(delivery);
  const say = (holder: { name: string; evidence: string }) => `${target} ${holder.name}: ${holder.evidence}`;
  return {
    lines: adoption.holders.filter((holder) => holder.adopted).map(say),
    missing: adoption.adopted ? [] : adoption.holders.filter((holder) => !holder.adopted).map(say),
    holders: adoption.holders.map((holder) => holder.name),
  };
}

/** Pollers seen after the last pod moved that belong to no pod of a known target. */
async function unknownPollers(
  deps: Dependencies,
  authority: string,
  holders: readonly string[],
  since: number,
): Promise<readonly string[]> {
  const queues = targetsOf(deps, authority).flatMap((target) => targetConfig(deps, target).taskQueues);
  const unknown: string[] = [];
  for (const queue of queues) {
    for (const poller of await deps.pollers(queue)) {
      const known = holders.some((holder) => poller.identity.includes(podName(holder)));
      if (!known && Date.parse(poller.lastAccessTime) > since) unknown.push(`${poller.identity} (${queue.name})`);
    }
  }
  return unknown;
}

const podName = (holder: string): string => holder.slice(holder.lastIndexOf('/') + 1);
