import { approvalLastsMs } from '../config/rotation-time.js';
import { signedText, type Decision, type Signed } from '../domain/approval.js';
import { isSignedBy } from '../x509/detached-signature.js';
import type { Dependencies } from './dependencies.js';
import { authorityConfig } from './plan.js';

export interface SignedApproval extends Signed {
  readonly authority: string;
  readonly signature?: string | undefined;
}

export function approverActivities(deps: Dependencies) {
  /** Why this approval does not count, in words; nothing when it is signed by the key of whom it names. */
  async function verifyApproval(approval: SignedApproval): Promise<{ objection?: string }> {
    const objection = objectionToSignature(deps, approval);
    return objection === undefined ? {} : { objection };
  }

  return { verifyApproval };
}

/**
 * The removal takes nobody's word for who approved, the workflow's included (safety 23). Undefined: nothing is wrong.
 * @param isUnderWay it has left other namespaces on that approval already
 */
export function objectionToDecision(
  deps: Dependencies,
  authority: string,
  decision: Decision,
  isUnderWay = false,
): string | undefined {
  const { mode, approvers, secondPerson } = authorityConfig(deps, authority).approval;
  const { identity, evidence = '', gatheredAt, seconded, ...first } = decision;
  if (identity === 'policy') return mode === 'automatic' ? undefined : 'the configuration wants a person to approve';
  const tooOld = isUnderWay ? undefined : objectionToAge(deps, authority, decision);
  if (tooOld || !approvers) return tooOld;
  if (secondPerson && (!seconded || seconded.who === first.who)) return 'the configuration wants two people to approve';
  return [first, ...(seconded ? [seconded] : [])]
    .map(({ who, why, signature }) =>
      objectionToSignature(deps, { authority, evidence, gatheredAt, who, why, signature }),
    )
    .find((objection) => objection !== undefined);
}

/** Whoever approved meant a removal that was to come soon, not one that something held up since. */
function objectionToAge(deps: Dependencies, authority: string, { who, at }: Decision): string | undefined {
  const lastsMs = approvalLastsMs(deps.config, authority);
  if (at === undefined || deps.now().getTime() <= Date.parse(at) + lastsMs) return undefined;
  return `${who} approved at ${at}, and an approval counts for ${Math.round(lastsMs / 3_600_000)} h`;
}

function objectionToSignature(deps: Dependencies, approval: SignedApproval): string | undefined {
  const { authority, who, signature = '' } = approval;
  const { approvers = {} } = authorityConfig(deps, authority).approval;
  const known = Object.hasOwn(approvers, who) ? approvers[who] : undefined;
  if (!known) return `${who} is none of the approvers that the configuration lists`;
  return isSignedBy(signedText(authority, approval), signature, known.publicKey)
    ? undefined
    : `the signature is not of the key that the configuration lists for ${who}, over this evidence and reason`;
}
