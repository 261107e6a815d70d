import { setTimeout as wait } from 'node:timers/promises';
import type { TrustChange } from '../cloud/cloud.js';
import { restoreRemoved } from '../cloud/restore-trust.js';
import { isCompromised, unmarkRetiring } from '../domain/authority.js';
import { RotationError } from '../domain/failures.js';
import type { RememberedTrust } from '../domain/rotation.js';
import { Authorities } from './authorities.js';
import { cloudProgress, noted, type Noted } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import type { Removal } from './removal.js';
import type { RemovalProgress } from './removal-progress.js';

export interface TrustRestoration {
  readonly before: RememberedTrust;
  readonly rotation: string;
}

const putBackAgainMs = 2000;

/** The namespaces that an undo is of: the one at hand, and those that the old CA left before. */
export const removedFrom = ({ before, earlier = [] }: Removal): readonly RememberedTrust[] => [before, ...earlier];

/** Undoes a removal by the API key alone (design, section 4). */
export function puttingBack(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** An emergency may have been declared while it was being removed. Where nobody can tell, whoever fell off comes first. */
  async function staysOut({ authority, old }: Pick<Removal, 'authority' | 'old'>): Promise<boolean> {
    return authorities.record(authority).then(
      (record) => isCompromised(record, old),
      () => false,
    );
  }

  /**
   * Until it succeeds: whoever fell off is cut off until then, and a namespace that cannot be changed now keeps no other one from
   * it. True when there was anything to put back.
   */
  async function putBack(removal: Removal, work: RemovalProgress): Promise<boolean> {
    const { authority, old, rotation } = removal;
    let undone = false;
    let failure: unknown;
    for (let left = removedFrom(removal); left.length > 0;) {
      if (await staysOut({ authority, old })) return undone;
      const again: RememberedTrust[] = [];
      for (const before of left) {
        try {
          const change = await restore({ before, rotation }, work.report);
          work.note(change);
          undone ||= change.changed;
        } catch (error) {
          if (error instanceof RotationError && error.retryable) again.push(before);
          else failure ??= error;
          work.report(`putting back what ${before.namespace} trusted: ${(error as Error).message}`);
        }
      }
      left = again;
      if (left.length > 0) await wait(putBackAgainMs);
    }
    if (failure !== undefined) throw failure;
    // So that no further attempt removes it again. The workflow does the same; this one may have lost the workflow.
    if (undone) await authorities.change(authority, unmarkRetiring).catch(() => undefined);
    return undone;
  }

  /** By API key alone. */
  function restore({ before, rotation }: TrustRestoration, onProgress: (line: string) => void): Promise<TrustChange> {
    const wanted = deps.config.namespaces[before.namespace]?.filters;
    const options = { generation: `${rotation}/restore`, onProgress, byKeyAlone: true };
    return restoreRemoved(deps.cloud, before, { wanted, now: deps.now() }, options);
  }

  /** For the workflow, when the removing activity could not do it itself. */
  async function restoreTrust(restoration: TrustRestoration): Promise<Noted> {
    return noted(await restore(restoration, cloudProgress().onProgress));
  }

  return { putBack, staysOut, restoreTrust };
}
