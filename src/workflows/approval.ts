import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import {
  approvalOf,
  objectionToApproval,
  parseDecision,
  type Decision,
  type OpenQuestion,
  type SentDecision,
} from '../domain/approval.js';
import { approveCaRemovalSignal, decideCaRemovalUpdate, rejectCaRemovalSignal } from './messages.js';
import type { StatusBoard } from './status.js';

export interface Deadline {
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly remindEveryMs: number;
  readonly remind: () => void;
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
    setHandler(
      decideCaRemovalUpdate,
      (sent) => {
        this.#take(sent.decision, parseDecision(sent) as SentDecision);
        return { accepted: true, phase: this.#board.phase, decided: this.#decision !== undefined };
      },
      {
        validator: (sent: unknown) => {
          const problem = this.#refusal(sent);
          if (problem) throw ApplicationFailure.nonRetryable(problem, 'DecisionRefused');
        },
        description: 'Approve or reject the removal of the old CA: {decision, who, why, evidence}',
      },
    );
  }

  /** Asks, and waits for a decision, reminding while there is time; undefined when the deadline passes. */
  async decide(
    question: Omit<OpenQuestion, 'approved' | 'renewed'>,
    deadline: Deadline,
  ): Promise<Decision | undefined> {
    const { until, remindEveryMs, remind } = deadline;
    this.#question = { ...question, renewed: this.#asked > 0, approved: [] };
    this.#asked += 1;
    this.#decision = undefined;
    for (let left = until - Date.now(); left > 0 && !this.#decision; left = until - Date.now()) {
      const turnMs = remindEveryMs > 0 ? remindEveryMs : left;
      const summary = left > turnMs ? 'Remind of the open decision' : 'Give up waiting for a decision';
      const decided = await condition(() => this.#decision !== undefined, Math.min(left, turnMs), { summary });
      if (decided) break;
      this.#board.problem('Nobody has decided yet; both CAs are trusted');
      if (left > turnMs) remind();
    }
    return this.#decision;
  }

  #signalled(verb: Decision['decision'], payload: unknown): void {
    const parsed = parseDecision(payload);
    if (typeof parsed === 'string') return this.#board.problem(`Ignored "${verb}": ${parsed}`);
    const objection = this.#objection(verb, parsed);
    if (objection) return this.#board.problem(`Ignored "${verb}" of ${parsed.who}: ${objection}`);
    this.#take(verb, parsed);
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
    if (verb === 'reject') {
      const { who, why } = sent;
      this.#decision = { decision: 'reject', who, why, identity: 'claimed' };
      return;
    }
    this.#question = { ...this.#question!, approved: [...this.#question!.approved, sent] };
    this.#decision = approvalOf(this.#question);
    if (!this.#decision) this.#board.wait(`a second person to approve; ${sent.who} has`);
  }
}
