import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import {
  approvalOf,
  objectionToApproval,
  parseDecision,
  type Decision,
  type OpenQuestion,
  type SentDecision,
} from '../domain/approval.js';
import {
  approveCaRemovalSignal,
  decideCaRemovalUpdate,
  rejectCaRemovalSignal,
  type DecisionTaken,
} from './messages.js';
import { rootOf } from './failures.js';
import { read } from './options.js';
import type { StatusBoard } from './status.js';

export interface Deadline {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly remindEveryMs: number;
  readonly remind: () => void;
  /** A decision that comes from elsewhere: from an emergency. */
  readonly standing: () => Decision | undefined;
}

/**
 * Takes decisions of people. Signal handlers never throw (a throw would fail the workflow task for ever, safety 30): what is
 * bad, early or contradictory is shown in the status. The first valid decision on the open question counts, and only for
 * the evidence that it was given for.
 */
export class Approval {
  readonly #board: StatusBoard;
  #question: OpenQuestion | undefined;
  #decision: Decision | undefined;
  #asked = 0;

  constructor(board: StatusBoard) {
    this.#board = board;
    setHandler(approveCaRemovalSignal, (payload: unknown) => this.#signalled('approve', payload));
    setHandler(rejectCaRemovalSignal, (payload: unknown) => this.#signalled('reject', payload));
    setHandler(decideCaRemovalUpdate, (sent) => this.#decided(sent.decision, parseDecision(sent) as SentDecision), {
      validator: (sent: unknown) => {
        const problem = this.#refusal(sent);
        if (problem) throw ApplicationFailure.nonRetryable(problem, 'DecisionRefused');
      },
      description: 'Approve or reject the removal of the old CA: {decision, who, why, evidence}',
    });
  }

  /** Asks, and waits for a decision, reminding while there is time; undefined when the deadline passes. */
  async decide(
    question: Omit<OpenQuestion, 'renewed' | 'approved'>,
    deadline: Deadline,
  ): Promise<Decision | undefined> {
    const { until, remindEveryMs, remind, standing } = deadline;
    this.#question = { ...question, renewed: this.#asked > 0, approved: [] };
    this.#asked += 1;
    this.#decision = undefined;
    try {
      for (let left = until - Date.now(); left > 0 && !this.#decision; left = until - Date.now()) {
        const turnMs = remindEveryMs > 0 ? remindEveryMs : left;
        const summary = left > turnMs ? 'Remind of the open decision' : 'Give up waiting for a decision';
        const isDecided = () => (this.#decision ??= standing()) !== undefined;
        if (await condition(isDecided, Math.min(left, turnMs), { summary })) break;
        this.#board.problem('Nobody has decided yet; both CAs are trusted');
        if (left > turnMs) remind();
      }
      return this.#decision;
    } finally {
      // Void, or too late: a decision that comes now would be taken and count for nothing.
      if (!this.#decision) this.#question = undefined;
    }
  }

  #signalled(verb: Decision['decision'], payload: unknown): void | Promise<void> {
    const parsed = parseDecision(payload);
    if (typeof parsed === 'string') return this.#board.problem(`Ignored "${verb}": ${parsed}`);
    const ignored = (why: string) => this.#board.problem(`Ignored "${verb}" of ${parsed.who}: ${why}`);
    const objection = this.#objection(verb, parsed);
    if (objection) return ignored(objection);
    if (!this.#wantsSignature(verb)) return this.#take(verb, parsed);
    return this.#verifyAndTake(verb, parsed).then(
      (found) => (found ? ignored(found) : undefined),
      (error: unknown) => ignored(`its signature could not be verified: ${rootOf(error).message}`),
    );
  }

  /** Without a signature to verify it is taken at once: that is what recorded histories replay. */
  #decided(verb: Decision['decision'], sent: SentDecision): DecisionTaken | Promise<DecisionTaken> {
    const taken = (): DecisionTaken => {
      return { accepted: true, phase: this.#board.phase, decided: this.#decision !== undefined };
    };
    if (!this.#wantsSignature(verb)) {
      this.#take(verb, sent);
      return taken();
    }
    return this.#verifyAndTake(verb, sent).then((objection) => {
      if (objection) throw ApplicationFailure.nonRetryable(objection, 'DecisionRefused');
      return taken();
    });
  }

  #wantsSignature(verb: Decision['decision']): boolean {
    return verb === 'approve' && this.#question?.approvers !== undefined;
  }

  /**
   * Asked again once the signature is known to be good: meanwhile somebody may have decided, or the evidence changed. And taken
   * with no `await` in between, or of two approvals that are verified at a time neither would know of the other.
   */
  async #verifyAndTake(verb: Decision['decision'], { who, why, signature }: SentDecision): Promise<string | undefined> {
    const { authority, evidence, gatheredAt } = this.#question!;
    const { objection } = await read.verifyApproval.executeWithOptions({ summary: `Verify the signature of ${who}` }, [
      { authority, evidence, gatheredAt, who, why, signature },
    ]);
    const sent = { who, why, evidence, ...(signature && { signature }) };
    const found = objection ?? this.#objection(verb, sent);
    if (found === undefined) this.#take(verb, sent);
    return found;
  }

  #refusal(payload: unknown): string | undefined {
    const parsed = parseDecision(payload);
    if (typeof parsed === 'string') return parsed;
    const verb = (payload as Partial<Decision>).decision;
    if (verb !== 'approve' && verb !== 'reject') return '"decision" must be "approve" or "reject"';
    return this.#objection(verb, parsed);
  }

  #objection(verb: Decision['decision'], sent: SentDecision): string | undefined {
    const { phase } = this.#board;
    if (phase !== 'approve' || !this.#question) return `nothing is asked in phase ${phase}`;
    if (this.#decision) return `${this.#decision.who} has decided already: ${this.#decision.decision}`;
    return verb === 'approve' ? objectionToApproval(this.#question, sent) : undefined;
  }

  #take(verb: Decision['decision'], sent: SentDecision): void {
    const at = new Date().toISOString();
    if (verb === 'reject') {
      const { who, why } = sent;
      this.#decision = { decision: 'reject', who, why, identity: 'claimed', at };
      return;
    }
    this.#question = { ...this.#question!, approved: [...this.#question!.approved, sent] };
    const approval = approvalOf(this.#question);
    if (approval) this.#decision = { ...approval, at };
    else this.#board.wait(`a second person to approve; ${sent.who} has`);
  }
}
