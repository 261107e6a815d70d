import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { Decision } from '../domain/approval.js';
import { short } from '../domain/certificate.js';
import type { Evidence } from '../domain/evidence.js';
import type { Intervention } from '../domain/intervention.js';
import type { RememberedTrust } from '../domain/rotation.js';
import { failedWith, rootOf } from './failures.js';
import { sayWhatIsExposed } from './escalation.js';
import { lasting, patient, watchful, write } from './options.js';
import type { Rotation } from './rotation.js';
import { removalWindow } from './windows.js';

/** A removal that was approved, and what on. */
export interface ApprovedRemoval {
  readonly decision: Decision;
  readonly evidence: Evidence;
}

/** How a removal ended that did not fail. But for `removed`, both CAs are trusted. */
export type RemovalEnd =
  | { readonly kind: 'removed' }
  /** What it was approved on is no longer so: people are to be asked anew. */
  | { readonly kind: 'void'; readonly why: string }
  | { readonly kind: 'undone'; readonly by: Intervention }
  /** The old CA is compromised and stays out, though the removal did not end well. */
  | { readonly kind: 'fellOff'; readonly why: string };

/**
 * Takes the old CA out of one namespace after the other and holds the watch after each. What a namespace trusted is in
 * history before anything of it is removed; whatever goes wrong, all of it comes back.
 */
export async function removeOldCa(rotation: Rotation, approved: ApprovedRemoval): Promise<RemovalEnd> {
  const { old, board, interventions } = rotation;
  if (!old) return { kind: 'removed' };
  const trusted: RememberedTrust[] = [];
  board.enter(
    'remove',
    `every use of CA ${short(old.fingerprint)} to end`,
    interventions.compromised
      ? 'the CA is compromised: nothing puts it back'
      : `cert-rotation undo-removal ${rotation.plan.authority} --who <you> --why <reason>`,
  );
  try {
    await interventions.removing(() => takeOut({ ...rotation, old }, approved, trusted));
    return { kind: 'removed' };
  } catch (error) {
    if (interventions.compromised) return notPutBack(error);
    const restored = await CancellationScope.nonCancellable(() => keepBoth(rotation, trusted));
    if (restored && interventions.undo) return { kind: 'undone', by: interventions.undo };
    if (restored && isVoid(error)) return { kind: 'void', why: rootOf(error).message };
    throw error;
  }
}

/** Nothing goes back to a compromised CA (safety 43): where it left it stays out, and the rotation goes on. */
function notPutBack(error: unknown): RemovalEnd {
  if (isCancellation(error)) throw error;
  const why = rootOf(error).message;
  return isVoid(error) ? { kind: 'void', why } : { kind: 'fellOff', why };
}

/** @param trusted grows by what each namespace trusted, before anything of it is removed */
async function takeOut(
  rotation: Rotation & Required<Pick<Rotation, 'old'>>,
  { decision, evidence }: ApprovedRemoval,
  trusted: RememberedTrust[],
): Promise<void> {
  const { plan, ca, old, board } = rotation;
  const { authority } = plan;
  await patient.markRetiring.executeWithOptions({ summary: `Stop every use of CA ${short(old.fingerprint)}` }, [
    { authority, old: old.fingerprint },
  ]);
  for (const [done, namespace] of plan.namespaces.entries()) {
    await removalWindow(rotation, plan.namespaces.length - done);
    const before = await write.rememberTrust.executeWithOptions({ summary: `Keep what ${namespace} trusts` }, [
      { authority, namespace, old: old.fingerprint },
    ]);
    const changedByUs = trusted.map((other) => other.namespace);
    trusted.push(before);
    board.wait(`CA ${short(old.fingerprint)} to leave ${namespace}, and the watch after it`);
    const { lines, notes } = await watchful.removeCa.executeWithOptions(
      {
        summary: `Remove CA ${short(old.fingerprint)} from ${namespace} and watch`,
        ...lasting(plan.watchMs + plan.blindMs + plan.proofDeadlineMs),
      },
      [
        {
          authority,
          before,
          ca: ca.fingerprint,
          old: old.fingerprint,
          rotation: workflowInfo().runId,
          approval: { decision, facts: evidence.facts, changedByUs },
          ...(evidence.quietSince && { quietSince: evidence.quietSince }),
        },
      ],
    );
    notes?.forEach((note) => board.problem(note));
    lines.forEach((line) => board.prove(line));
    await sayWhatIsExposed(rotation, `CA ${short(old.fingerprint)} left ${namespace}`);
  }
}

function isVoid(error: unknown): boolean {
  return failedWith(error, 'EvidenceChanged') || failedWith(error, 'EvidenceMissing');
}

/** The old CA may be used again only once every namespace trusts it again. False when a person is needed. */
async function keepBoth({ plan, board }: Rotation, trusted: readonly RememberedTrust[]): Promise<boolean> {
  const failures: string[] = [];
  for (const before of trusted) {
    await patient.restoreTrust
      .executeWithOptions({ summary: `See that ${before.namespace} trusts both CAs` }, [
        { before, rotation: workflowInfo().runId },
      ])
      // Nothing is answered by the activity of an earlier version, whose history may be read again.
      .then((answer?: { notes?: readonly string[] }) => answer?.notes?.forEach((note) => board.problem(note)))
      .catch((error: unknown) => failures.push(`${before.namespace}: ${rootOf(error).message}`));
  }
  failures.forEach((line) => board.problem(`A person is needed: the old CA could not be put back. ${line}`));
  if (failures.length > 0) return false;
  await write.keepBothCas.executeWithOptions({ summary: 'Both CAs may be used again' }, [
    { authority: plan.authority },
  ]);
  if (trusted.length > 0) board.undo(`Both CAs are trusted by ${plan.namespaces.join(', ')}.`);
  return true;
}
