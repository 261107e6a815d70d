import { isCancellation } from '@temporalio/workflow';
import { short, type CertificateFacts } from '../domain/certificate.js';
import { leafRotationId } from '../domain/ids.js';
import type { CaPlan, LeafRotationResult } from '../domain/rotation.js';
import { failedWith, handled } from './failures.js';
import { follow, runUnderFixedId } from './fixed-id.js';
import { leafRotation } from './leaf-rotation.js';
import { write } from './options.js';
import type { StatusBoard } from './status.js';

const atOnce = 4;

/**
 * Moves every target onto the new CA: canaries first, naming it explicitly; then the signing pointer moves, so that every
 * leaf from then on comes from it, whoever asks (safety 12); then those that reload by themselves, one at a time; then the
 * others, a few at once.
 */
export async function moveLeaves(
  plan: CaPlan,
  ca: CertificateFacts,
  board: StatusBoard,
): Promise<readonly LeafRotationResult[]> {
  const done: LeafRotationResult[] = [];
  const all = plan.canaries.length + plan.alone.length + plan.others.length;
  const move = async (target: string): Promise<void> => {
    board.wait(`${target} to move (${done.length} of ${all} moved)`);
    const result = await moveOne(target, ca).catch((error: unknown) => {
      throw isCancellation(error) ? error : handled(error, `${target} was not moved; both CAs stay trusted.`);
    });
    board.prove(`${target} is on leaf ${short(result.newFingerprint ?? '')} of the new CA`);
    done.push(result);
  };
  for (const target of plan.canaries) await move(target);
  await write.moveSigner.executeWithOptions({ summary: `Sign with ${short(ca.fingerprint)} from now on` }, [
    { authority: plan.authority, ca: ca.fingerprint },
  ]);
  for (const target of plan.alone) await move(target);
  for (let start = 0; start < plan.others.length; start += atOnce) {
    const ends = await Promise.allSettled(plan.others.slice(start, start + atOnce).map(move));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return done;
}

/** A rotation of that target that runs already may have signed with the old CA: wait for it, then rotate again. */
async function moveOne(target: string, ca: CertificateFacts): Promise<LeafRotationResult> {
  const workflowId = leafRotationId(target);
  for (;;) {
    const result = await runUnderFixedId({
      workflow: leafRotation,
      workflowId,
      input: { target, ca: ca.fingerprint },
      summary: `Move ${target} onto CA ${short(ca.fingerprint)}`,
    });
    if (result) return result;
    await follow(workflowId).catch((error: unknown) => {
      if (!failedWith(error, 'FollowedRotationFailed')) throw error;
    });
  }
}
