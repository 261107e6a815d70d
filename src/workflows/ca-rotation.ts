import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { short, type CertificateFacts } from '../domain/certificate.js';
import { caRotationId } from '../domain/ids.js';
import type { CaPlan, CaRotationRequest, CaRotationResult, Decision, LeafRotationResult } from '../domain/rotation.js';
import { Approval } from './approval.js';
import { follow, runUnderFixedId } from './fixed-id.js';
import { moveLeaves } from './move-leaves.js';
import { patient, quick } from './options.js';
import { StatusBoard } from './status.js';

interface Rotation {
  readonly plan: CaPlan;
  readonly ca: CertificateFacts;
  readonly old?: CertificateFacts;
  readonly board: StatusBoard;
}

/** The runbook of a CA rotation, phase by phase (docs/how-it-works.md). */
export async function caRotation(request: CaRotationRequest): Promise<CaRotationResult> {
  const authority = authorityOf(request);
  const workflowId = caRotationId(authority);
  if (workflowInfo().workflowId !== workflowId) {
    const summary = `Rotate the CA ${authority}`;
    const result = await runUnderFixedId({ workflow: caRotation, workflowId, input: { authority }, summary });
    return result ?? follow<CaRotationResult>(workflowId);
  }

  const board = new StatusBoard(`CA ${authority}`);
  const approval = new Approval(board);
  const plan = await preflight(authority, board);
  const rotation = await issue(plan, board);
  await trust(rotation);
  await widenFilters(rotation);
  board.enter('leaves');
  const leaves = await moveLeaves(plan, rotation.ca, board);
  await confirm(rotation, leaves);
  const decision = await approve(rotation, approval);
  await condition(allHandlersFinished);
  if (decision.decision === 'reject')
    return ended(rotation, leaves, { outcome: 'keptBoth', reason: rejection(decision), decision });
  await remove(rotation, leaves);
  board.enter('finish');
  await quick.finishCa.executeWithOptions(
    { summary: `${short(rotation.ca.fingerprint)} is the CA of ${authority} now; destroy the old key` },
    [{ authority, ca: rotation.ca.fingerprint }],
  );
  board.enter('done');
  return ended(rotation, leaves, { outcome: 'rotated', decision });
}

function authorityOf(request: unknown): string {
  const authority = (request as Partial<CaRotationRequest> | undefined)?.authority;
  if (typeof authority !== 'string')
    throw ApplicationFailure.nonRetryable('start caRotation with {"authority": "<name>"}', 'BadRequest');
  return authority;
}

async function preflight(authority: string, board: StatusBoard): Promise<CaPlan> {
  const plan = await quick.resolveCaRotation.executeWithOptions({ summary: `Read the configuration of ${authority}` }, [
    { authority },
  ]);
  if (plan.searchAttributes) board.useSearchAttributes();
  const { lines } = await quick.preflightCa.executeWithOptions({ summary: 'Look at everything that can fail later' }, [
    { authority },
  ]);
  lines.forEach((line) => board.prove(line));
  return plan;
}

async function issue(plan: CaPlan, board: StatusBoard): Promise<Rotation> {
  board.enter('issue');
  const { ca, old } = await quick.issueCa.executeWithOptions({ summary: `Make the next CA of ${plan.authority}` }, [
    { authority: plan.authority, rotation: workflowInfo().runId },
  ]);
  return { plan, ca, board, ...(old && { old }) };
}

async function trust({ plan, ca, board }: Rotation): Promise<void> {
  board.enter('trust');
  const { authority } = plan;
  for (const namespace of plan.namespaces) {
    await patient.trustCa.executeWithOptions({ summary: `Add CA ${short(ca.fingerprint)} to ${namespace}` }, [
      { authority, namespace, ca: ca.fingerprint, rotation: workflowInfo().runId },
    ]);
    const { line } = await patient.proveTrust.executeWithOptions(
      { summary: `Prove that ${namespace} admits leaves of ${short(ca.fingerprint)}` },
      [{ authority, namespace, ca: ca.fingerprint }],
    );
    board.prove(line);
  }
  if (plan.trustSoakMs > 0)
    await sleep(plan.trustSoakMs, { summary: 'Let the trust settle before the first target moves' });
}

async function widenFilters({ plan, board }: Rotation): Promise<void> {
  board.enter('filters');
  for (const namespace of plan.namespaces) {
    const { line } = await patient.widenFilters.executeWithOptions(
      { summary: `Widen the filters of ${namespace} where needed` },
      [{ authority: plan.authority, namespace, rotation: workflowInfo().runId }],
    );
    board.prove(line);
  }
}

async function confirm({ plan, ca, board }: Rotation, leaves: readonly LeafRotationResult[]): Promise<void> {
  board.enter('confirm');
  board.wait('connections of the old CA to end (maximum connection age and grace)');
  await sleep(plan.soakMs, { summary: 'Let every connection of the old CA reach its maximum age' });
  const evidence = await patient.gatherEvidence.executeWithOptions(
    { summary: 'Prove that every target is on the new CA' },
    [{ authority: plan.authority, ca: ca.fingerprint, leaves }],
  );
  evidence.lines.forEach((line) => board.prove(line));
  evidence.unknownPollers.forEach((poller) => board.problem(`Belongs to no known target: ${poller}`));
  if (!evidence.complete) {
    throw ApplicationFailure.nonRetryable(
      `Both CAs stay trusted. Not on the new CA: ${evidence.missing.join('; ')}`,
      'EvidenceMissing',
    );
  }
  if (plan.approval.mode === 'automatic' && evidence.unknownPollers.length > 0) {
    throw ApplicationFailure.nonRetryable(
      `Both CAs stay trusted. Pollers of no known target: ${evidence.unknownPollers.join(', ')}`,
      'EvidenceMissing',
    );
  }
}

async function approve({ plan, old, board }: Rotation, approval: Approval): Promise<Decision> {
  if (plan.approval.mode === 'automatic' || !old) {
    return {
      decision: 'approve',
      who: 'policy',
      why: old ? 'approval: automatic' : 'there is no old CA of ours to remove',
    };
  }
  board.enter('approve');
  board.wait(
    `a person to approve the removal of CA ${short(old.fingerprint)}`,
    `cert-rotation approve ${plan.authority} --who <you> --why <reason>`,
  );
  const decision = await approval.decide(plan.approval);
  if (decision) return decision;
  throw ApplicationFailure.nonRetryable(
    'Nobody decided in time. Both CAs stay trusted; start the rotation again.',
    'ApprovalExpired',
  );
}

async function remove({ plan, ca, old, board }: Rotation, leaves: readonly LeafRotationResult[]): Promise<void> {
  if (!old) return;
  const { authority } = plan;
  board.enter('remove');
  try {
    await patient.markRetiring.executeWithOptions({ summary: `Stop every use of CA ${short(old.fingerprint)}` }, [
      { authority, old: old.fingerprint },
    ]);
    for (const namespace of plan.namespaces) {
      board.wait(`CA ${short(old.fingerprint)} to leave ${namespace}, and the watch after it`);
      const { lines } = await patient.removeCa.executeWithOptions(
        {
          summary: `Remove CA ${short(old.fingerprint)} from ${namespace} and watch`,
          startToCloseTimeout: plan.watchMs + 45 * 60_000,
        },
        [{ authority, namespace, ca: ca.fingerprint, old: old.fingerprint, rotation: workflowInfo().runId, leaves }],
      );
      lines.forEach((line) => board.prove(line));
    }
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      quick.keepBothCas.executeWithOptions({ summary: 'Keep both CAs' }, [{ authority }]),
    );
    throw error;
  }
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
