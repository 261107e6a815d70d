import { markRetiring as retire, unmarkRetiring } from '../domain/authority.js';
import type { Fingerprint } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
import { isRunning } from '../temporal/running.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { pause } from './failures.js';
import { targetsOf } from './plan.js';

export function retiringActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** No leaf of the old CA is issued or delivered from here on; then waits until no leaf rotation is under way. */
  async function markRetiring({ authority, old }: { authority: string; old: Fingerprint }): Promise<void> {
    await authorities.change(authority, (record) => retire(record, old));
    for (const target of targetsOf(deps, authority)) {
      const id = leafRotationId(target);
      while (await isRunning(deps.client(), id)) await pause(1000, `waiting for ${id} to end`);
    }
  }

  /** The removal did not happen, or was undone: the old CA may be used again. */
  async function keepBothCas({ authority }: { authority: string }): Promise<void> {
    await authorities.change(authority, unmarkRetiring);
  }

  return { markRetiring, keepBothCas };
}
