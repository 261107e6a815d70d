import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { Decision } from '../domain/approval.js';
import { short } from '../domain/certificate.js';
import { trustedThen, type Evidence } from '../domain/evidence.js';
import type { Intervention } from '../domain/intervention.js';
import type { RememberedTrust } from '../domain/rotation.js';
import { failedWith, rootOf } from './failures.js';
import { sayWhatIsExposed } from './escalation.js';
import { lasting, patient, watchful, write } from './options.js';
import type { Rotation } from './rotation.js';
import { removalWindow } from './windows.js';

type Removing = Rotation & Required<Pick<Rotation, 'old'>>;

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
    if (interventions.compromised) return notPutBack(rotation, error);
    const restored = await CancellationScope.nonCancellable(() => keepBoth({ ...rotation, old }, approved, trusted));
    if (restored && interventions.undo) return { kind: 'undone', by: interventions.undo };
    if (restored && isVoid(error)) return { kind: 'void', why: rootOf(error).message };
    throw error;
  }
}

/** Nothing goes back to a compromised CA (safety 43): where it left it stays out, and the rotation goes on. */
function notPutBack({ interventions }: Rotation, error: unknown): RemovalEnd {
  if (CancellationScope.current().consideredCancelled) throw error;
  const undo = interventions.dropUndo();
  if (undo) return { kind: 'fellOff', why: `The undo that ${undo.who} (claimed) asked for (${undo.why}) is void.` };
  if (isCancellation(error)) throw error;
  const why = rootOf(error).message;
  return isVoid(error) ? { kind: 'void', why } : { kind: 'fellOff', why };
}

/** @param trusted grows by what each namespace trusted, before anything of it is removed */
async function takeOut(
  rotation: Removing,
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
    const before = await remember(rotation, namespace);
    const earlier = trusted.map(goingBack);
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
          ...(earlier.length > 0 && { earlier }),
          ca: ca.fingerprint,
          old: old.fingerprint,
          rotation: workflowInfo().runId,
          approval: { decision, facts: evidence.facts, changedByUs: earlier.map((other) => other.namespace) },
          ...(evidence.quietSince && { quietSince: evidence.quietSince }),
        },
      ],
    );
    notes?.forEach((note) => board.problem(note));
    lines.forEach((line) => board.prove(line));
    await sayWhatIsExposed(rotation, `CA ${short(old.fingerprint)} left ${namespace}`);
  }
}

/** @param before absent: another run removed the CA there, and was terminated */
async function seeBothTrusted(rotation: Removing, namespace: string, before?: RememberedTrust): Promise<void> {
  const restoration = { before: before ?? (await remember(rotation, namespace)), rotation: workflowInfo().runId };
  const summary = `See that ${namespace} trusts both CAs`;
  const answer: { notes?: readonly string[] } | undefined = await patient.restoreTrust.executeWithOptions({ summary }, [
    restoration,
  ]);
  // Nothing is answered by the activity of an earlier version, whose history may be read again.
  answer?.notes?.forEach((note) => rotation.board.problem(note));
}

/** Without the CAs that stay: inputs of many namespaces would fill a history. */
function goingBack(trust: RememberedTrust): RememberedTrust {
  return { ...trust, bundle: trust.bundle.filter(({ fingerprint }) => trust.removing.includes(fingerprint)) };
}

function isVoid(error: unknown): boolean {
  return (['EvidenceChanged', 'EvidenceMissing', 'NewCaNotTrusted'] as const).some((type) => failedWith(error, type));
}

/** What the namespace trusts now; or trusted before another run removed the CA from it, and was terminated. */
function remember({ plan, old }: Removing, namespace: string): Promise<RememberedTrust> {
  return write.rememberTrust.executeWithOptions({ summary: `Keep what ${namespace} trusts` }, [
    { authority: plan.authority, namespace, old: old.fingerprint },
  ]);
}

/** The old CA may be used again only once every namespace trusts it again. False when a person is needed. */
async function keepBoth(
  rotation: Removing,
  { evidence }: ApprovedRemoval,
  trusted: readonly RememberedTrust[],
): Promise<boolean> {
  const { plan, old, board } = rotation;
  const failures: string[] = [];
  for (const namespace of trusted.length > 0 ? plan.namespaces : []) {
    const before = trusted.find((one) => one.namespace === namespace);
    if (!before && trustedThen(evidence.facts, namespace, old.fingerprint)) continue;
    await seeBothTrusted(rotation, namespace, before).catch((error: unknown) =>
      failures.push(`${namespace}: ${rootOf(error).message}`),
    );
  }
  failures.forEach((line) => board.problem(`A person is needed: the old CA could not be put back. ${line}`));
  if (failures.length > 0) return false;
  await write.keepBothCas.executeWithOptions({ summary: 'Both CAs may be used again' }, [
    { authority: plan.authority },
  ]);
  if (trusted.length > 0) board.undo(`Both CAs are trusted by ${plan.namespaces.join(', ')}.`);
  return true;
}
