import { ApplicationFailure, CancellationScope, CancelledFailure, workflowInfo } from '@temporalio/workflow';
import type { CompromisedCas } from '../activities/compromised.js';
import { short, type CertificateFacts, type Fingerprint } from '../domain/certificate.js';
import { exposureLines } from '../domain/emergency.js';
import { leafRotationId } from '../domain/ids.js';
import type { Intervention } from '../domain/intervention.js';
import type { LeafRotationResult } from '../domain/rotation.js';
import { emergencyStep, targetStuck } from '../domain/rotation-messages.js';
import { rootOf } from './failures.js';
import type { Stuck } from './interventions.js';
import { hurry, moveLeaves, moveSigner } from './move-leaves.js';
import { lasting, patient, read } from './options.js';
import type { Rotation, UnderWay } from './rotation.js';
import { tell } from './tell.js';

/**
 * An emergency is on record. Where the CA that the rotation made is compromised, or an abort moves everybody back to the one
 * that is, the rotation begins anew; else what it waits for falls away by itself, what failed before is tried again, and the
 * leaf rotations under way are hurried.
 */
export async function escalate(
  underWay: UnderWay,
  rotation: Rotation | undefined,
  { current, next }: CompromisedCas,
): Promise<void> {
  const { board, interventions, emergencies } = underWay;
  if (current) interventions.knows({ compromised: true });
  const wasAborting = board.phase === 'abort' && current !== undefined;
  if (wasAborting || (next !== undefined && next === rotation?.ca.fingerprint)) {
    beginAnew(underWay, next);
  } else {
    if (emergencies.declared) interventions.retryWhatWaits(emergencies.declared);
    if (rotation && board.phase === 'leaves') await hurryLeaves(rotation);
  }
  await sayWhatIsExposed(underWay, 'it is on record which CA is compromised');
}

/** @param next that leaked; absent: it is not the reason */
function beginAnew({ board, interventions }: UnderWay, next: Fingerprint | undefined): void {
  board.problem(`The rotation begins anew${next ? `: CA ${short(next)} is never promoted` : ''}`);
  interventions.beginAnew();
}

/** An emergency that came while the next CA was being made may have meant that very one: then nobody is to trust it. */
export function refuseLeaked(underWay: UnderWay, ca: CertificateFacts): void {
  if (!underWay.emergencies.isLeaked(ca.fingerprint)) return;
  beginAnew(underWay, ca.fingerprint);
  throw new CancelledFailure('the rotation begins anew');
}

async function hurryLeaves(rotation: Rotation): Promise<void> {
  await moveSigner(rotation);
  await Promise.all(rotation.interventions.moving.map((target) => hurry(leafRotationId(target))));
}

/** In the status, and to people: what a compromised CA still opens. Without an emergency it asks nobody. */
export async function sayWhatIsExposed(
  { plan, board, interventions, emergencies }: UnderWay,
  step: string,
): Promise<void> {
  if (!interventions.compromised && (emergencies.declared?.leaked ?? 'none') === 'none') return;
  const { authority, notifiers } = plan;
  try {
    const exposures = await read.gatherExposure.executeWithOptions({ summary: 'See what is still exposed' }, [
      { authority },
    ]);
    board.expose(exposureLines(exposures));
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    board.expose([`It could not be seen what is still exposed: ${rootOf(error).message}`]);
  }
  void tell(notifiers, board, emergencyStep(authority, step, board.exposed));
}

/** What a person says of what failed; undefined: nobody said anything in time. */
export async function wordOn(
  { plan, board, interventions }: UnderWay,
  stuck: Stuck,
): Promise<Intervention | undefined> {
  const { authority, approval, notifiers } = plan;
  const { compromised } = interventions;
  const message = targetStuck({ authority, target: stuck.what, ...stuck, compromised });
  return interventions.onFailure(stuck, approval, () => void tell(notifiers, board, message));
}

/**
 * Somebody fell off after the removal of a compromised CA, which stays out: the new CA is seen to be trusted, and whoever is not
 * on a leaf of it gets a fresh one. People are called at once, and decide when it happens again.
 */
export async function movedOn(rotation: Rotation, why: string, again: boolean): Promise<readonly LeafRotationResult[]> {
  const { plan, ca, board } = rotation;
  const { authority, namespaces, notifiers } = plan;
  board.problem(`The compromised CA is not put back. ${why}`);
  void tell(notifiers, board, emergencyStep(authority, 'somebody fell off; everybody is moved on', [why]));
  if (again && !(await wordOn(rotation, { what: 'removal', reason: why, canSkip: false })))
    throw ApplicationFailure.nonRetryable(`The compromised CA was not put back. ${why}`, 'NotPutBack');
  board.enter('leaves', 'whoever fell off to get a fresh leaf of the new CA');
  for (const namespace of namespaces) {
    const step = { authority, namespace, ca: ca.fingerprint, rotation: workflowInfo().runId };
    await patient.trustCa.executeWithOptions({ summary: `See that ${namespace} trusts ${short(ca.fingerprint)}` }, [
      step,
    ]);
    await patient.proveTrust.executeWithOptions(
      { summary: `Prove that ${namespace} admits leaves of it`, ...lasting(plan.proofDeadlineMs) },
      [step],
    );
  }
  // Whoever fell off is shut out, whether somebody declared an emergency to this run or to one before it.
  return moveLeaves(rotation, true);
}

/** Before it becomes the current one: an emergency that came meanwhile may have said that it is compromised, too. */
export async function stillTheNextOne({ emergencies }: Rotation): Promise<void> {
  await emergencies.recorded();
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the rotation begins anew');
}
