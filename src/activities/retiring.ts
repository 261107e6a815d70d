import { markRetiring as retire, unmarkRetiring } from '../domain/authority.js';
import type { Fingerprint } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
import { tell } from '../temporal/history.js';
import { isRunning } from '../temporal/running.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { pause } from './failures.js';
import { targetsOf } from './plan.js';

export function retiringActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** No leaf of the old CA is issued or delivered from here on; then waits until nobody is on the way with an earlier one. */
  async function markRetiring({ authority, old }: { authority: string; old: Fingerprint }): Promise<void> {
    await authorities.change(authority, (record) => retire(record, old));
    await nothingOnItsWay(deps, authority);
  }

  /** The removal did not happen, or was undone: the old CA may be used again. */
  async function keepBothCas({ authority }: { authority: string }): Promise<void> {
    await authorities.change(authority, unmarkRetiring);
  }

  return { markRetiring, keepBothCas };
}

/** Waits until no leaf of the authority is on its way that was issued by now. */
export async function nothingOnItsWay(deps: Dependencies, authority: string): Promise<void> {
  for (const target of targetsOf(deps, authority)) {
    const id = leafRotationId(target);
    while (await holdsLeaf(deps, id)) await pause(1000, `waiting for ${id} to end`);
  }
}

/** One without a leaf yet, or any more, may wait for its maintenance window for days; what it issues then is of another CA. */
async function holdsLeaf(deps: Dependencies, leafRotation: string): Promise<boolean> {
  const client = deps.client();
  if (!(await isRunning(client, leafRotation))) return false;
  const { steps } = await tell(client, leafRotation);
  return steps.findLast(({ activity }) => ['issueLeaf', 'discardPairs'].includes(activity))?.activity === 'issueLeaf';
}
