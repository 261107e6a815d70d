import { markRetiring as retire, unmarkRetiring } from '../domain/authority.js';
import type { Fingerprint } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
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
      while (await isOpen(leafRotationId(target))) await pause(1000, `waiting for ${leafRotationId(target)} to end`);
    }
  }

  async function isOpen(workflowId: string): Promise<boolean> {
    try {
      return (await deps.client().workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
    } catch (error) {
      if ((error as Error).name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }

  /** The removal did not happen, or was undone: the old CA may be used again. */
  async function keepBothCas({ authority }: { authority: string }): Promise<void> {
    await authorities.change(authority, unmarkRetiring);
  }

  return { markRetiring, keepBothCas };
}
