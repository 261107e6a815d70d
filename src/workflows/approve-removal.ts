import { ApplicationFailure } from '@temporalio/workflow';
import { decideBy, doubtsOf, unseenLines, type Decision } from '../domain/approval.js';
import { short, type CertificateFacts } from '../domain/certificate.js';
import { decisionOf } from '../domain/emergency.js';
import type { Evidence } from '../domain/evidence.js';
import { approvalWanted, questionWithdrawn } from '../domain/rotation-messages.js';
import type { Approval } from './approval.js';
import { whileItIsTrue, type Answer } from './open-question.js';
import type { Rotation } from './rotation.js';
import { tell } from './tell.js';

/** What a removal is approved on, and who has a say in it. */
export interface Asking {
  readonly approval: Approval;
  /** Who started the rotation, as they claim. */
  readonly startedBy: string | undefined;
  readonly evidence: Evidence;
}

/** What the policy says; where that is a person, or anything is in doubt, a person decides. */
export async function approveRemoval(rotation: Rotation, asking: Asking): Promise<Answer<Decision>> {
  const { plan, old, board, emergencies, incidents } = rotation;
  const { evidence } = asking;
  const policy = (why: string): Answer<Decision> => {
    return { decided: { decision: 'approve', who: 'policy', why, identity: 'policy', evidence: evidence.digest } };
  };
  if (!old) return policy('there is no old CA of ours to remove');
  const standing = standingDecision(rotation, evidence);
  if (standing) return { decided: standing };
  const doubts = doubtsOf(evidence, plan.clients, incidents);
  if (plan.approval.mode === 'automatic' && doubts.length === 0 && !emergencies.declared)
    return policy('approval: automatic');
  if (plan.approval.mode === 'automatic')
    doubts.forEach((doubt) => board.problem(`In doubt, so a person is asked: ${doubt}`));
  return askAPerson(rotation, old, asking);
}

/**
 * The word of whoever declared an emergency, while the evidence is clean. Where approvers must sign it is none: otherwise
 * declaring an emergency would be a way around them.
 */
function standingDecision({ plan, old, emergencies }: Rotation, evidence: Evidence): Decision | undefined {
  // A rescue whose old CA has expired: its removal shuts nobody out, and nobody could reach the question.
  const isMoot = emergencies.declared?.leaked === 'none' && old && Date.parse(old.notAfter) <= Date.now();
  if (isMoot) return decisionOf(emergencies.declared!, evidence);
  return emergencies.declared && !plan.approval.approvers ? decisionOf(emergencies.declared, evidence) : undefined;
}

async function askAPerson(
  rotation: Rotation,
  old: CertificateFacts,
  { approval, evidence, startedBy }: Asking,
): Promise<Answer<Decision>> {
  const { plan, ca, board } = rotation;
  const { authority, namespaces, notifiers } = plan;
  const { deadlineMs, remindEveryMs, secondPerson = false, approvers } = plan.approval;
  const { digest, gatheredAt, facts, unknownPollers, unknownClients = [] } = evidence;
  const until = decideBy({ deadlineMs, watchMs: plan.watchMs + plan.blindMs }, old.notAfter, Date.now());
  const question = {
    evidence: digest,
    ...(gatheredAt && { gatheredAt }),
    facts,
    unseen: unseenLines(plan.clients),
    until: new Date(until).toISOString(),
  };
  board.enter(
    'approve',
    `${secondPerson ? 'two people' : 'a person'} to approve the removal of CA ${short(old.fingerprint)}`,
    `cert-rotation approve ${authority} --who <you> --why <reason> --evidence ${digest.slice(0, 12)}${approvers ? ' --sign-with <your key>' : ''}`,
  );
  board.ask(question);
  const ask = (reminder: boolean) =>
    void tell(
      notifiers,
      board,
      approvalWanted({ ...question, authority, namespaces, old, ca, unknownPollers, unknownClients, reminder }),
    );
  ask(false);
  const answer = await whileItIsTrue({ authority, facts }, board, () =>
    approval.decide(
      { authority, evidence: digest, gatheredAt, secondPerson, startedBy, approvers },
      { until, remindEveryMs, remind: () => ask(true), standing: () => standingDecision(rotation, evidence) },
    ),
  );
  if ('changes' in answer) return answer;
  if (answer.decided) return { decided: answer.decided };
  throw ApplicationFailure.nonRetryable(
    `Nobody decided by ${question.until}. Both CAs stay trusted; start the rotation again.`,
    'ApprovalExpired',
  );
}

/** What people were asked on is so no more: they are told, and asked anew once every target is proved to be on the new CA again. */
export async function questionVoid({ plan, board }: Rotation, changes: readonly string[]): Promise<string> {
  const { authority, notifiers } = plan;
  const why = `Somebody else changed what is trusted while people were asked: ${changes.join('; ')}`;
  board.problem(`The question is void. ${why}`);
  board.enter('confirm', 'the configuration to be read again');
  void tell(notifiers, board, questionWithdrawn(authority, changes));
  return why;
}
