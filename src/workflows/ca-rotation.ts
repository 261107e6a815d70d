import {
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  getExternalWorkflowHandle,
  workflowInfo,
} from '@temporalio/workflow';
import type { Decision } from '../domain/approval.js';
import { short } from '../domain/certificate.js';
import { clientText } from '../domain/clients.js';
import type { Evidence } from '../domain/evidence.js';
import { caRotationId } from '../domain/ids.js';
import type { Intervention } from '../domain/intervention.js';
import { parseCaRequest } from '../domain/requests.js';
import type { CaPlan, CaRotationRequest, CaRotationResult, LeafRotationResult } from '../domain/rotation.js';
import { caDone } from '../domain/rotation-messages.js';
import { undoRotation } from './abort-rotation.js';
import { Approval } from './approval.js';
import { approveRemoval, questionVoid } from './approve-removal.js';
import { configuredAnew, resolve } from './configuration.js';
import { accepted } from './failures.js';
import { Emergencies } from './emergencies.js';
import { escalate, movedOn, refuseLeaked, sayWhatIsExposed, stillTheNextOne, wordOn } from './escalation.js';
import { standInFor } from './fixed-id.js';
import { Interventions } from './interventions.js';
import { declareEmergencySignal } from './messages.js';
import { moveLeaves } from './move-leaves.js';
import { inspecting, lasting, patient, write } from './options.js';
import { recordingTheEnd } from './record.js';
import { removeOldCa } from './remove-old-ca.js';
import type { Rotation, UnderWay } from './rotation.js';
import { StatusBoard } from './status.js';
import { tellingTheEnd } from './tell.js';
import { trustAgain } from './trust-again.js';
import { removalWindow, Windows } from './windows.js';

export async function caRotation(request: CaRotationRequest): Promise<CaRotationResult> {
  const wanted = accepted('caRotation', parseCaRequest(request));
  const { authority } = wanted;
  const workflowId = caRotationId(authority);
  if (workflowInfo().workflowId !== workflowId) {
    return standInFor({
      workflow: caRotation,
      workflowId,
      input: wanted,
      summary: `Rotate the CA of ${authority}`,
      // The one that runs already knows nothing of an emergency that came with this start.
      whenRunning: async () => {
        if (wanted.emergency)
          await getExternalWorkflowHandle(workflowId).signal(declareEmergencySignal, wanted.emergency);
      },
    });
  }
  const board = new StatusBoard(`CA of ${authority}`);
  const emergencies = new Emergencies(authority, board);
  const interventions = new Interventions(board);
  // Whoever declares an emergency is no starter who must stay out of it: they may sign as one of the approvers.
  const startedBy = wanted.emergency ? undefined : wanted.who;
  const people = { approval: new Approval(board), interventions, emergencies, startedBy };
  try {
    if (wanted.emergency) await emergencies.take(wanted.emergency);
    const plan = await resolve(authority, board);
    return await tellingTheEnd({ notifiers: plan.notifiers, board, name: authority, done: caDone }, () =>
      recordingTheEnd(plan, board, wanted.who, () => rotate(plan, board, people)),
    );
  } finally {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
}

/** What people say while it runs. */
interface People {
  readonly approval: Approval;
  readonly interventions: Interventions;
  readonly emergencies: Emergencies;
  /** Who started it, as they claim. */
  readonly startedBy: string | undefined;
}

/** The runbook, until it ends or a person aborts it; from its beginning when the CA that it made turns out to be compromised. */
async function rotate(plan: CaPlan, board: StatusBoard, people: People): Promise<CaRotationResult> {
  const { interventions, emergencies } = people;
  const { authority: name, notifiers } = plan;
  const windows = new Windows({ board, notifiers, name, isUrgent: () => emergencies.declared !== undefined });
  const underWay: UnderWay = { plan, board, interventions, emergencies, windows, incidents: [] };
  interventions.knows({ plan });
  for (;;) {
    let rotation: Rotation | undefined;
    await emergencies.whenDeclared((cas) => escalate(underWay, rotation, cas));
    const end = await interventions.unlessStopped(async () => {
      await preflight(plan, board, emergencies);
      const begun = await issue(underWay);
      rotation = begun;
      return phases(begun, people, (anew) => (rotation = withNamespacesOf(rotation ?? begun, anew)));
    });
    if ('result' in end) return end.result;
    if ('anew' in end) continue;
    const undone = await interventions.unlessStopped(() => aborted(rotation, end.abort, underWay));
    if ('result' in undone) return undone.result;
  }
}

/** An abort is of every namespace that may trust the new CA: those that a changed configuration added, and those that it had. */
function withNamespacesOf({ plan: former }: Rotation, rotation: Rotation): Rotation {
  const namespaces = [...new Set([...former.namespaces, ...rotation.plan.namespaces])];
  return { ...rotation, plan: { ...rotation.plan, namespaces } };
}

/**
 * Phase by phase, as a person would do it by hand (docs/how-it-works.md).
 * @param configured is told how the configuration has it, whenever that was read anew
 */
async function phases(
  begun: Rotation,
  people: People,
  configured: (rotation: Rotation) => void,
): Promise<CaRotationResult> {
  const { incidents } = begun;
  let rotation = begun;
  let falls = 0;
  let leaves = await trustedAndMoved(rotation);
  let wasTrustedAgain = false;
  for (;;) {
    const skipped = leaves.filter(({ outcome }) => outcome === 'notMoved');
    if (skipped.length > 0) return keptBoth(rotation, leaves, { reason: whySkipped(skipped) });
    const anew = await configuredAnew(rotation, begun.plan);
    ({ rotation } = anew);
    configured(rotation);
    if (anew.grown) {
      leaves = await trustedAndMoved(rotation);
      continue;
    }
    const evidence = anew.blocked === undefined ? await confirm(rotation) : undefined;
    if (!evidence?.complete) {
      const again = anew.blocked === undefined ? await trustAgain(rotation) : [];
      // Whoever takes it out again and again is for a person to stop.
      const isMended = again.length > 0 && !wasTrustedAgain;
      wasTrustedAgain = again.length > 0;
      if (isMended) continue;
      const reason = anew.blocked ?? `Not on the new CA: ${evidence!.missing.join('; ')}`;
      const word = await wordOnEvidence(rotation, reason);
      if (word.action === 'skip') return keptBoth(rotation, leaves, { reason: goneOnWithout(word, reason) });
      incidents.push(reason);
      leaves = await trustedAndMoved(rotation);
      continue;
    }
    wasTrustedAgain = false;
    const answer = await approveRemoval(rotation, { ...people, evidence });
    if ('changes' in answer) {
      incidents.push(await questionVoid(rotation, answer.changes));
      await trustAgain(rotation);
      continue;
    }
    const decision = answer.decided;
    const decided = { decision, evidence: { digest: evidence.digest, facts: evidence.facts } };
    if (decision.decision === 'reject') return keptBoth(rotation, leaves, { reason: rejection(decision), ...decided });
    // Still before the removal: an abort is possible, and the removal checks the evidence anew.
    await removalWindow(rotation, rotation.plan.namespaces.length);
    const removal = await removeOldCa(rotation, { decision, evidence });
    if (removal.kind === 'removed') {
      await stillTheNextOne(rotation);
      await CancellationScope.nonCancellable(() => finish(rotation));
      return ended(rotation, leaves, { outcome: 'rotated', ...decided });
    }
    if (removal.kind === 'fellOff') {
      incidents.push(removal.why);
      falls += 1;
      leaves = await movedOn(rotation, removal.why, falls > 1);
      continue;
    }
    if (removal.kind === 'undone') return keptBoth(rotation, leaves, { reason: undoing(removal.by), ...decided });
    incidents.push(removal.why);
    rotation.board.problem(`The approval of ${decision.who} is void. ${removal.why}`);
    // From here on there is no removal to undo.
    rotation.board.enter('confirm', 'the configuration to be read again');
    await trustAgain(rotation);
  }
}

/** Once more, too: what somebody took away since, the new CA itself perhaps, is added and proved again. */
async function trustedAndMoved(rotation: Rotation): Promise<readonly LeafRotationResult[]> {
  await trust(rotation);
  await widenFilters(rotation);
  rotation.board.enter('leaves');
  const leaves = await moveLeaves(rotation);
  await sayWhatIsExposed(rotation, 'every target was moved');
  return leaves;
}

/**
 * Somebody is not on the new CA although their leaf was moved, or a namespace does not trust it any more, or the configuration
 * knows somebody no more: a person has it trusted and every target moved again, goes on without, or aborts.
 */
async function wordOnEvidence(rotation: Rotation, reason: string): Promise<Intervention> {
  rotation.board.problem(`Both CAs stay trusted. ${reason}`);
  const canSkip = !rotation.interventions.compromised;
  const word = await wordOn(rotation, { what: 'evidence', reason, canSkip });
  if (word) return word;
  throw ApplicationFailure.nonRetryable(`Both CAs stay trusted. ${reason}`, 'EvidenceMissing');
}

async function aborted(
  rotation: Rotation | undefined,
  { who, why, keepBoth = false }: Intervention,
  underWay: UnderWay,
): Promise<CaRotationResult> {
  const { authority } = underWay.plan;
  const by = `Aborted by ${who} (claimed): ${why}.`;
  const begun = rotation ?? (keepBoth ? undefined : await begunBefore(underWay));
  if (!begun) return { authority, outcome: 'aborted', reason: `${by} Nothing was changed.`, leaves: [] };
  if (keepBoth)
    return keptBoth(begun, [], { reason: `${by} Both CAs stay trusted; start the rotation again to go on.` });
  await undoRotation(begun);
  begun.board.enter('done');
  const reason = `${by} The new CA ${short(begun.ca.fingerprint)} is trusted by nobody any more.`;
  return { authority, outcome: 'aborted', reason, leaves: [] };
}

/** Aborted before it has a new CA: an attempt that died may have made one, or an earlier run have come further. */
async function begunBefore(underWay: UnderWay): Promise<Rotation | undefined> {
  const { authority } = underWay.plan;
  const { ca, old } = await write.takeUpNext.executeWithOptions({ summary: `See whether ${authority} has a next CA` }, [
    { authority, rotation: workflowInfo().runId },
  ]);
  return ca && { ...underWay, ca, ...(old && { old }) };
}

async function preflight({ authority }: CaPlan, board: StatusBoard, { declared }: Emergencies): Promise<void> {
  if (board.phase !== 'preflight') board.enter('preflight');
  const { lines, problems = [] } = await inspecting.preflightCa.executeWithOptions(
    { summary: 'Look at everything that can fail later' },
    [{ authority, ...(declared && { urgent: true }) }],
  );
  problems.forEach((problem) => board.problem(problem));
  lines.forEach((line) => board.prove(line));
}

async function issue(underWay: UnderWay): Promise<Rotation> {
  const { plan, board, interventions, emergencies, incidents } = underWay;
  board.enter('issue');
  const {
    ca,
    old,
    compromised = false,
    takenUp = false,
    warnings = [],
  } = await write.issueCa.executeWithOptions({ summary: `Make the next CA of ${plan.authority}` }, [
    { authority: plan.authority, rotation: workflowInfo().runId },
  ]);
  warnings.forEach((warning) => board.problem(warning));
  if (takenUp) incidents.push(`an earlier rotation made CA ${short(ca.fingerprint)} and did not come to its end`);
  interventions.knows({ compromised: compromised || interventions.compromised });
  emergencies.knows(ca.fingerprint);
  refuseLeaked(underWay, ca);
  return { ...underWay, ca, ...(old && { old }) };
}

async function trust(rotation: Rotation): Promise<void> {
  const { plan, ca, board, emergencies } = rotation;
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
  await sayWhatIsExposed(rotation, `CA ${short(ca.fingerprint)} is trusted`);
  if (plan.trustSoakMs === 0) return;
  board.wait('the trust to settle');
  await emergencies.pause('trustSoakMs', plan, 'Let the trust settle before the first target moves');
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

async function confirm({ plan, ca, board, emergencies }: Rotation): Promise<Evidence> {
  const quietSince = new Date().toISOString();
  board.enter(
    'confirm',
    emergencies.declared
      ? 'whoever still polls to show itself within one long poll (open connections of the old CA are not waited out)'
      : 'connections of the old CA to end (maximum connection age and grace)',
  );
  await emergencies.pause('soakMs', plan, 'Let every connection of the old CA reach its maximum age');
  board.wait('evidence from every target');
  const evidence = await patient.gatherEvidence.executeWithOptions(
    { summary: 'Prove that every target is on the new CA' },
    [{ authority: plan.authority, ca: ca.fingerprint, ...(emergencies.declared && { quietSince }) }],
  );
  evidence.lines.forEach((line) => board.prove(line));
  evidence.unknownPollers.forEach((poller) => board.problem(`Belongs to no known target: ${poller}`));
  evidence.unknownClients?.forEach((client) => board.problem(`Belongs to nobody known: ${clientText(client)}`));
  return evidence;
}

/** The removal is done and watched: whoever cancels now comes too late, and an old key left behind would help nobody. */
async function finish({ plan: { authority }, ca, old, board }: Rotation): Promise<void> {
  board.enter('finish');
  await write.finishCa.executeWithOptions(
    { summary: `${short(ca.fingerprint)} is the CA of ${authority} now; destroy the old key` },
    [{ authority, ca: ca.fingerprint, ...(old && { old: old.fingerprint }) }],
  );
  board.enter('done');
}

function rejection({ who, why }: Decision): string {
  return `${who} rejected the removal${why ? `: ${why}` : ''}. Both CAs stay trusted; start the rotation again to take it up later.`;
}

function undoing({ who, why }: Intervention): string {
  return `${who} (claimed) had the removal undone: ${why}. Both CAs are trusted; start the rotation again to take it up later.`;
}

function whySkipped(skipped: readonly LeafRotationResult[]): string {
  const lines = skipped.map(({ target, reason }) => `${target}: ${reason}`).join('; ');
  return `Nothing is removed while a target is not moved (${lines}). Both CAs stay trusted; start the rotation again to move it.`;
}

function goneOnWithout({ who, why }: Intervention, reason: string): string {
  return `${reason}. Skipped by ${who} (claimed): ${why}. Nothing is removed; both CAs stay trusted. Start the rotation again to go on.`;
}

/** The end that leaves everything working: both CAs trusted, leaves come from the new one. */
function keptBoth(
  rotation: Rotation,
  leaves: readonly LeafRotationResult[],
  end: Pick<CaRotationResult, 'reason' | 'decision' | 'evidence'>,
): CaRotationResult {
  rotation.board.enter('done');
  return ended(rotation, leaves, { outcome: 'keptBoth', ...end });
}

function ended(
  { plan, ca, old }: Rotation,
  leaves: readonly LeafRotationResult[],
  end: Pick<CaRotationResult, 'outcome' | 'reason' | 'decision' | 'evidence'>,
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
