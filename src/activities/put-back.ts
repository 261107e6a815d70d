import { setTimeout as wait } from 'node:timers/promises';
import type { TrustChange } from '../cloud/cloud.js';
import { isCompromised, unmarkRetiring } from '../domain/authority.js';
import { planBundle } from '../domain/bundle.js';
import type { Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { sameFilters } from '../domain/filters.js';
import type { RememberedTrust } from '../domain/rotation.js';
import { issuersAmong } from '../x509/chain.js';
import { Authorities } from './authorities.js';
import { cloudProgress, noted, type Noted } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import type { Removal } from './removal.js';
import type { RemovalProgress } from './removal-progress.js';
import { filtersBefore } from './remembered-trust.js';

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

  /** What the removal took goes back, by API key alone; what others changed since stays as they want it. */
  function restore({ before, rotation }: TrustRestoration, onProgress: (line: string) => void): Promise<TrustChange> {
    return deps.cloud.changeTrust(
      before.namespace,
      (current) => {
        const filters = filtersBefore(deps, current, before);
        const { bundle } = planBundle({
          current: current.bundle,
          add: before.bundle.filter(({ fingerprint }) => goesBack(before, fingerprint)),
          remove: [],
          withFilters: !sameFilters(current.filters, filters),
          now: deps.now(),
          leavesInUse: [],
          issuers: issuersAmong([...current.bundle, ...before.bundle]),
        });
        return { bundle, filters };
      },
      { generation: `${rotation}/restore`, onProgress, byKeyAlone: true },
    );
  }

  const goesBack = ({ removing, leaked = [] }: RememberedTrust, ca: Fingerprint): boolean =>
    removing.includes(ca) && !leaked.includes(ca);

  /** For the workflow, when the removing activity could not do it itself. */
  async function restoreTrust(restoration: TrustRestoration): Promise<Noted> {
    return noted(await restore(restoration, cloudProgress().onProgress));
  }

  return { putBack, staysOut, restoreTrust };
}
