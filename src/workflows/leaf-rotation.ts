import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import { short, type CertificateFacts, type LeafReference } from '../domain/certificate.js';
import { leakedLeafLines } from '../domain/emergency.js';
import { leafRotationId } from '../domain/ids.js';
import { parseLeafRequest } from '../domain/requests.js';
import type { LeafPlan, LeafPreflight, LeafRotationRequest, LeafRotationResult } from '../domain/rotation.js';
import { leafDone, leafLeaked } from '../domain/rotation-messages.js';
import { accepted, handled, rootOf } from './failures.js';
import { standInFor } from './fixed-id.js';
import { Haste } from './haste.js';
import { lasting, patient, read, write } from './options.js';
import { StatusBoard } from './status.js';
import { tell, tellingTheEnd } from './tell.js';
import { Windows } from './windows.js';

/**
 * Renews the leaf of one target: issue, test with that very leaf, update, roll out, prove adoption, discard. Before the
 * update nothing was touched; after it, every failure puts a pair that works back.
 */
export async function leafRotation(request: LeafRotationRequest): Promise<LeafRotationResult> {
  const wanted = accepted('leafRotation', parseLeafRequest(request));
  const { target } = wanted;
  const workflowId = leafRotationId(target);
  if (workflowInfo().workflowId !== workflowId) {
    return standInFor({ workflow: leafRotation, workflowId, input: wanted, summary: `Rotate the leaf of ${target}` });
  }

  const board = new StatusBoard(`Leaf of ${target}`);
  const haste = new Haste(board, wanted);
  const plan = await read.resolveLeafRotation.executeWithOptions({ summary: `Read the configuration of ${target}` }, [
    { target },
  ]);
  return tellingTheEnd({ notifiers: plan.notifiers, board, name: target, done: leafDone }, () =>
    renew(plan, wanted, board, haste),
  );
}

async function renew(
  plan: LeafPlan,
  wanted: LeafRotationRequest,
  board: StatusBoard,
  haste: Haste,
): Promise<LeafRotationResult> {
  const { target } = plan;
  const found = await read.preflightLeaf.executeWithOptions({ summary: `Inspect ${target}` }, [wanted]);
  found.warnings.forEach((warning) => board.problem(warning));
  if (found.skip && !haste.leak) {
    if (found.leftOver) await discardAll(target);
    return skipped(plan, found, board);
  }
  await sayLeak(plan, found, board, haste, 'a new one is on its way');
  const leaf = await issuedInWindow(plan, wanted, found, board, haste);
  const delivery = await moveTarget(plan, leaf, board, haste);
  board.enter('discard');
  await CancellationScope.nonCancellable(() => discardAll(target));
  await sayLeak(plan, found, board, haste, 'every pod has a new one');
  board.enter('done');
  return {
    target,
    outcome: 'rotated',
    ...(found.current && { oldFingerprint: found.current.fingerprint }),
    newFingerprint: leaf.certificate.fingerprint,
    notAfter: leaf.certificate.notAfter,
    deliveredAt: delivery.at,
  };
}

/** Shown and told: what the key of a leaf that leaked still opens. Nothing where none did. */
async function sayLeak(
  { target, authority, namespaces, notifiers }: LeafPlan,
  { current }: LeafPreflight,
  board: StatusBoard,
  { leak }: Haste,
  step: string,
): Promise<void> {
  if (!leak || !current) return;
  const lines = leakedLeafLines(current, { authority, namespaces });
  board.expose(lines);
  await tell(notifiers, board, leafLeaked(target, authority, step, lines));
}

/**
 * A tested leaf, and a window that is open: a leaf that is held until the next one opens would age, and whoever removes its CA
 * would wait for it. Making and testing one may outlast the window; then it is discarded, and made anew in the next.
 */
async function issuedInWindow(
  plan: LeafPlan,
  wanted: LeafRotationRequest,
  { current }: LeafPreflight,
  board: StatusBoard,
  haste: Haste,
): Promise<LeafReference> {
  const { target: name, notifiers, windowed = false } = plan;
  const windows = new Windows({ board, notifiers, name, isUrgent: () => haste.isUrgent });
  const restart = windowed && current && ({ step: 'restarts', latest: latestRestart(plan, current) } as const);
  for (;;) {
    if (restart) await windows.opened(restart);
    const leaf = await issueTested(plan, wanted, board, async () => !restart || windows.areOpen(restart));
    if (leaf) return leaf;
  }
}

/** A rollout that fails takes its deadline twice, there and back; the leaf in place must last that long. */
function latestRestart({ proofDeadlineMs, rolloutDeadlineMs }: LeafPlan, { notAfter }: CertificateFacts): string {
  return new Date(Date.parse(notAfter) - proofDeadlineMs - 2 * rolloutDeadlineMs).toISOString();
}

function skipped({ target }: LeafPlan, { skip, current }: LeafPreflight, board: StatusBoard): LeafRotationResult {
  board.enter('done');
  return {
    target,
    outcome: 'skipped',
    ...(skip && { reason: skip }),
    ...(current && { newFingerprint: current.fingerprint, notAfter: current.notAfter }),
  };
}

/** A leaf that every namespace admits. On failure, and when it may not be used now, it is discarded: nothing used it. */
async function issueTested(
  plan: LeafPlan,
  { target, ca }: LeafRotationRequest,
  board: StatusBoard,
  mayUse: () => Promise<boolean>,
): Promise<LeafReference | undefined> {
  try {
    board.enter('issue');
    const leaf = await write.issueLeaf.executeWithOptions({ summary: `Issue a leaf for ${target}` }, [
      { target, rotation: workflowInfo().runId, ...(ca && { ca }) },
    ]);
    leaf.warnings?.forEach((warning) => board.problem(warning));
    const name = short(leaf.certificate.fingerprint);
    const namespaces = plan.namespaces.join(', ');
    board.enter('test', `${namespaces} to admit leaf ${name}, several times in a row`);
    await patient.testConnection.executeWithOptions(
      { summary: `Connect with leaf ${name}`, ...lasting(plan.proofDeadlineMs) },
      [{ target, entry: leaf.entry }],
    );
    board.prove(`${namespaces} admits leaf ${name}`);
    if (await mayUse()) return leaf;
  } catch (error) {
    await CancellationScope.nonCancellable(() => discardUnused(target));
    throw error;
  }
  await discardUnused(target);
  return undefined;
}

async function discardUnused(target: string): Promise<void> {
  await write.discardPairs.executeWithOptions({ summary: 'Discard the new leaf; nothing used it' }, [{ target }]);
}

/** The target is proved to be on its pair: every other one is of no use any more. */
async function discardAll(target: string): Promise<void> {
  await write.discardPairs.executeWithOptions({ summary: `Discard the previous pair of ${target}` }, [
    { target, settled: true },
  ]);
}

async function moveTarget(plan: LeafPlan, leaf: LeafReference, board: StatusBoard, haste: Haste) {
  const { target } = plan;
  const name = short(leaf.certificate.fingerprint);
  const rotation = workflowInfo().runId;
  const untilRolledOut = lasting(plan.rolloutDeadlineMs);
  let rolledOut = false;
  try {
    board.enter('update');
    const delivery = await write.updateTarget.executeWithOptions({ summary: `Deliver leaf ${name} to ${target}` }, [
      { target, entry: leaf.entry, rotation },
    ]);
    rolledOut = true;
    board.enter('rollout', `the workloads of ${target} to run with leaf ${name}`);
    await patient.rollOut.executeWithOptions({ summary: `Roll ${target} out onto leaf ${name}`, ...untilRolledOut }, [
      { target, delivery },
    ]);
    board.enter('adopt', `evidence from every pod of ${target}`);
    const adoption = await patient.confirmAdoption.executeWithOptions(
      { summary: `Prove that every pod uses leaf ${name}`, ...untilRolledOut },
      [{ target, delivery }],
    );
    adoption.holders.forEach((holder) => board.prove(`${holder.name}: ${holder.evidence}`));
    return delivery;
  } catch (error) {
    const line = await CancellationScope.nonCancellable(() => restore(plan, rolledOut, board, haste));
    throw isCancellation(error) ? error : handled(error, line);
  }
}

/** What was done, in one line. A restoration that fails is told, too: then a person is needed. */
async function restore(
  { target, rolloutDeadlineMs }: LeafPlan,
  rolledOut: boolean,
  board: StatusBoard,
  { leak }: Haste,
): Promise<string> {
  board.enter('restore', `${target} to be back on a pair that works`);
  const summary = `Put a pair that works back into ${target}`;
  try {
    const { line, restored } = await patient.restoreTarget.executeWithOptions(
      { summary, ...lasting(rolloutDeadlineMs) },
      [{ target, rotation: workflowInfo().runId, rolledOut, ...(leak && { leaked: true }) }],
    );
    // Earlier versions of the activity do not say; their histories may be read again.
    if (restored === false) board.problem(line);
    else board.undo(line);
    return line;
  } catch (error) {
    const line = `A person is needed: ${target} could not be restored. ${rootOf(error).message}`;
    board.problem(line);
    return line;
  }
}
