import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { short } from '../domain/certificate.js';
import { caRotationId } from '../domain/ids.js';
import { parseCaRequest } from '../domain/requests.js';
import type {
  CaPlan,
  CaRotationRequest,
  CaRotationResult,
  Decision,
  Evidence,
  LeafRotationResult,
} from '../domain/rotation.js';
import { approvalWanted, caDone } from '../domain/rotation-messages.js';
import { Approval } from './approval.js';
import { accepted } from './failures.js';
import { standInFor } from './fixed-id.js';
import { moveLeaves } from './move-leaves.js';
import { inspecting, lasting, patient, read, write } from './options.js';
import { removeOldCa } from './remove-old-ca.js';
import type { Rotation } from './rotation.js';
import { StatusBoard } from './status.js';
import { tell, tellingTheEnd } from './tell.js';

export async function caRotation(request: CaRotationRequest): Promise<CaRotationResult> {
  const { authority } = accepted('caRotation', parseCaRequest(request));
  const workflowId = caRotationId(authority);
  if (workflowInfo().workflowId !== workflowId) {
    return standInFor({
      workflow: caRotation,
      workflowId,
      input: { authority },
      summary: `Rotate the CA of ${authority}`,
    });
  }
  const board = new StatusBoard(`CA of ${authority}`);
  const approval = new Approval(board);
  try {
    return await runbook(authority, board, approval);
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
}

async function runbook(authority: string, board: StatusBoard, approval: Approval): Promise<CaRotationResult> {
  const plan = await resolve(authority, board);
  return tellingTheEnd({ notifiers: plan.notifiers, board, name: authority, done: caDone }, () =>
    phases(plan, board, approval),
  );
}

/** Phase by phase, as a person would do it by hand (docs/how-it-works.md). */
async function phases(plan: CaPlan, board: StatusBoard, approval: Approval): Promise<CaRotationResult> {
  await preflight(plan, board);
  const rotation = await issue(plan, board);
  await trust(rotation);
  await widenFilters(rotation);
  board.enter('leaves');
  const leaves = await moveLeaves(plan, rotation.ca, board);
  const { unknownPollers } = await confirm(rotation);
  const decision = await approve(rotation, approval, unknownPollers);
  if (decision.decision === 'reject')
    return ended(rotation, leaves, { outcome: 'keptBoth', reason: rejection(decision), decision });
  await removeOldCa(rotation);
  await CancellationScope.nonCancellable(() => finish(rotation));
  return ended(rotation, leaves, { outcome: 'rotated', decision });
}

async function resolve(authority: string, board: StatusBoard): Promise<CaPlan> {
  const plan = await read.resolveCaRotation.executeWithOptions({ summary: `Read the configuration of ${authority}` }, [
    { authority },
  ]);
  if (plan.searchAttributes) board.useSearchAttributes();
  return plan;
}

async function preflight({ authority }: CaPlan, board: StatusBoard): Promise<void> {
  const { lines } = await inspecting.preflightCa.executeWithOptions(
    { summary: 'Look at everything that can fail later' },
    [{ authority }],
  );
  lines.forEach((line) => board.prove(line));
}

async function issue(plan: CaPlan, board: StatusBoard): Promise<Rotation> {
  board.enter('issue');
  const {
    ca,
    old,
    warnings = [],
  } = await write.issueCa.executeWithOptions({ summary: `Make the next CA of ${plan.authority}` }, [
    { authority: plan.authority, rotation: workflowInfo().runId },
  ]);
  warnings.forEach((warning) => board.problem(warning));
  return { plan, ca, board, ...(old && { old }) };
}

async function trust({ plan, ca, board }: Rotation): Promise<void> {
  board.enter('trust');
  const { authority } = plan;
  for (const namespace of plan.namespaces) {
    board.wait(`${namespace} to trust CA ${short(ca.fingerprint)}`);
    const { notes } = await patient.trustCa.executeWithOptions(
      { summary: `Add CA ${short(ca.fingerprint)} to ${namespace}` },
      [{ authority, namespace, ca: ca.fingerprint, rotation: workflowInfo().runId }],
    );
    notes?.forEach((note) => board.problem(note));
    const { line } = await patient.proveTrust.executeWithOptions(
      {
        summary: `Prove that ${namespace} admits leaves of ${short(ca.fingerprint)}`,
        ...lasting(plan.proofDeadlineMs),
      },
      [{ authority, namespace, ca: ca.fingerprint }],
    );
    board.prove(line);
  }
  if (plan.trustSoakMs === 0) return;
  board.wait('the trust to settle');
  await sleep(plan.trustSoakMs, { summary: 'Let the trust settle before the first target moves' });
}

async function widenFilters({ plan, board }: Rotation): Promise<void> {
  board.enter('filters');
  for (const namespace of plan.namespaces) {
    const { line, notes } = await patient.widenFilters.executeWithOptions(
      { summary: `Widen the filters of ${namespace} where needed` },
      [{ authority: plan.authority, namespace, rotation: workflowInfo().runId }],
    );
    notes?.forEach((note) => board.problem(note));
    board.prove(line);
  }
}

async function confirm({ plan, ca, board }: Rotation): Promise<Evidence> {
  board.enter('confirm', 'connections of the old CA to end (maximum connection age and grace)');
  await sleep(plan.soakMs, { summary: 'Let every connection of the old CA reach its maximum age' });
  board.wait('evidence from every target');
  const evidence = await patient.gatherEvidence.executeWithOptions(
    { summary: 'Prove that every target is on the new CA' },
    [{ authority: plan.authority, ca: ca.fingerprint }],
  );
  evidence.lines.forEach((line) => board.prove(line));
  evidence.unknownPollers.forEach((poller) => board.problem(`Belongs to no known target: ${poller}`));
  if (!evidence.complete) throw unproved(`Not on the new CA: ${evidence.missing.join('; ')}`);
  if (plan.approval.mode === 'automatic' && evidence.unknownPollers.length > 0)
    throw unproved(`Pollers of no known target: ${evidence.unknownPollers.join(', ')}`);
  return evidence;
}

function unproved(what: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`Both CAs stay trusted. ${what}`, 'EvidenceMissing');
}

async function approve(
  { plan, ca, old, board }: Rotation,
  approval: Approval,
  unknownPollers: readonly string[],
): Promise<Decision> {
  if (plan.approval.mode === 'automatic' || !old) {
    return {
      decision: 'approve',
      who: 'policy',
      why: old ? 'approval: automatic' : 'there is no old CA of ours to remove',
    };
  }
  board.enter(
    'approve',
    `a person to approve the removal of CA ${short(old.fingerprint)}`,
    `cert-rotation approve ${plan.authority} --who <you> --why <reason>`,
  );
  const until = new Date(Date.now() + plan.approval.deadlineMs).toISOString();
  const { authority, namespaces, notifiers } = plan;
  const question = { authority, namespaces, old, ca, unknownPollers, until };
  const ask = (reminder: boolean) => void tell(notifiers, board, approvalWanted({ ...question, reminder }));
  ask(false);
  const decision = await approval.decide(plan.approval, () => ask(true));
  if (decision) return decision;
  throw ApplicationFailure.nonRetryable(
    'Nobody decided in time. Both CAs stay trusted; start the rotation again.',
    'ApprovalExpired',
  );
}

/** The removal is done and watched: whoever cancels now comes too late, and an old key left behind would help nobody. */
async function finish({ plan: { authority }, ca, board }: Rotation): Promise<void> {
  board.enter('finish');
  await write.finishCa.executeWithOptions(
    { summary: `${short(ca.fingerprint)} is the CA of ${authority} now; destroy the old key` },
    [{ authority, ca: ca.fingerprint }],
  );
  board.enter('done');
}

function rejection({ who, why }: Decision): string {
  return `${who} rejected the removal${why ? `: ${why}` : ''}. Both CAs stay trusted; start the rotation again to take it up later.`;
}

function ended(
  { plan, ca, old }: Rotation,
  leaves: readonly LeafRotationResult[],
  end: Pick<CaRotationResult, 'outcome' | 'reason' | 'decision'>,
): CaRotationResult {
  return {
    authority: plan.authority,
    ...end,
    ...(old && { oldFingerprint: old.fingerprint }),
    newFingerprint: ca.fingerprint,
    notAfter: ca.notAfter,
    leaves,
  };
}
