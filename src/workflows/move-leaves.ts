import { getExternalWorkflowHandle, isCancellation } from '@temporalio/workflow';
import { short, type CertificateFacts } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
import { atOnce, objectionToSkip } from '../domain/intervention.js';
import type { LeafRotationResult } from '../domain/rotation.js';
import { targetStuck } from '../domain/rotation-messages.js';
import { failedWith, handled, rootOf } from './failures.js';
import { follow, runUnderFixedId } from './fixed-id.js';
import { leafRotation } from './leaf-rotation.js';
import { hurrySignal } from './messages.js';
import { write } from './options.js';
import type { Rotation } from './rotation.js';
import { tell } from './tell.js';
import { trustAgain } from './trust-again.js';

/**
 * Moves every target onto the new CA: canaries first, naming it explicitly; then the signing pointer moves, so that every
 * leaf from then on comes from it, whoever asks (safety 12); then those that reload by themselves, and the rotation worker's
 * own, one at a time; then the others, a few at once. One that fails waits for a person; those that are skipped are among the results, with the reason.
 * @param urgent nobody waits for a window, as in an emergency
 */
export async function moveLeaves(rotation: Rotation, urgent = false): Promise<readonly LeafRotationResult[]> {
  const { plan, board } = rotation;
  const done: LeafRotationResult[] = [];
  // Trust is proved: whatever else asks for a leaf meanwhile no longer gets one of the compromised CA.
  if (rotation.emergencies.declared) await moveSigner(rotation);
  const all = plan.canaries.length + plan.alone.length + plan.others.length;
  const move = async (target: string): Promise<void> => {
    board.wait(`${target} to move (${done.length} of ${all} moved)`);
    done.push(await moveOrAsk(rotation, target, urgent));
  };
  for (const target of plan.canaries) await move(target);
  await moveSigner(rotation);
  for (const target of plan.alone) await move(target);
  for (let start = 0; start < plan.others.length; start += atOnce) {
    const ends = await Promise.allSettled(plan.others.slice(start, start + atOnce).map(move));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return done;
}

/** From now on leaves come from the new CA, whoever asks (safety 12). */
export async function moveSigner({ plan, ca }: Rotation): Promise<void> {
  await write.moveSigner.executeWithOptions({ summary: `Sign with ${short(ca.fingerprint)} from now on` }, [
    { authority: plan.authority, ca: ca.fingerprint },
  ]);
}

/** A failure ends nothing (safety 39): a person says whether to try again, to go on without the target, or to abort. */
async function moveOrAsk(rotation: Rotation, target: string, urgent: boolean): Promise<LeafRotationResult> {
  const { plan, ca, board, interventions, emergencies, incidents } = rotation;
  let wasTrustedAgain = false;
  for (;;) {
    try {
      const isUrgent = urgent || emergencies.declared !== undefined;
      const result = await interventions.moves(target, () => moveOne(target, ca, isUrgent));
      board.prove(`${target} is on leaf ${short(result.newFingerprint ?? '')} of the new CA`);
      return result;
    } catch (error) {
      if (isCancellation(error)) throw error;
      const reason = rootOf(error).message;
      board.problem(`${target} was not moved: ${reason}`);
      incidents.push(`${target} was not moved at first: ${reason}`);
      const again = await trustAgain(rotation);
      const isMended = again.length > 0 && !wasTrustedAgain;
      wasTrustedAgain = again.length > 0;
      if (isMended) continue;
      const canSkip = objectionToSkip(plan, target) === undefined;
      const { compromised } = interventions;
      const answer = await interventions.onFailure(
        { what: target, reason, canSkip },
        plan.approval,
        () =>
          void tell(
            plan.notifiers,
            board,
            targetStuck({ authority: plan.authority, target, reason, canSkip, compromised }),
          ),
      );
      if (!answer) throw handled(error, `${target} was not moved; both CAs stay trusted.`);
      if (answer.action === 'skip') return skipped(target, `Skipped by ${answer.who} (claimed): ${answer.why}`);
    }
  }
}

const skipped = (target: string, reason: string): LeafRotationResult => ({ target, outcome: 'notMoved', reason });

/** A rotation of that target that runs already may have signed with another CA: wait for it, then rotate again. */
export async function moveOne(target: string, ca: CertificateFacts, urgent = false): Promise<LeafRotationResult> {
  const workflowId = leafRotationId(target);
  for (;;) {
    const result = await runUnderFixedId({
      workflow: leafRotation,
      workflowId,
      input: { target, ca: ca.fingerprint, ...(urgent && { urgent }) },
      summary: `Move ${target} onto CA ${short(ca.fingerprint)}`,
    });
    if (result) return result;
    if (urgent) await hurry(workflowId);
    await follow(workflowId).catch((error: unknown) => {
      if (!failedWith(error, 'FollowedRotationFailed')) throw error;
    });
  }
}

/** A leaf rotation that runs already waits for no window any more; one that has just ended needs not be told. */
export async function hurry(workflowId: string): Promise<void> {
  await getExternalWorkflowHandle(workflowId)
    .signal(hurrySignal)
    .catch(() => undefined);
}
