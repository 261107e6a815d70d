import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import { parseDecision, type CaPlan, type Decision } from '../domain/rotation.js';
import { approveCaRemovalSignal, decideCaRemovalUpdate, rejectCaRemovalSignal } from './messages.js';
import type { StatusBoard } from './status.js';

/**
 * Takes decisions of people. Signal handlers never throw (a throw would fail the workflow task for ever, safety 30): what is
 * bad, early or contradictory is shown in the status. The first valid decision in phase `approve` counts.
 */
export class Approval {
  readonly #board: StatusBoard;
  #decision: Decision | undefined;

  constructor(board: StatusBoard) {
    this.#board = board;
    setHandler(approveCaRemovalSignal, (payload: unknown) => this.#take('approve', payload));
    setHandler(rejectCaRemovalSignal, (payload: unknown) => this.#take('reject', payload));
    setHandler(
      decideCaRemovalUpdate,
      (decision) => {
        this.#take(decision.decision, decision);
        return { accepted: true, phase: this.#board.phase };
      },
      {
        validator: (decision: unknown) => {
          const problem = this.#refusal(decision);
          if (problem) throw ApplicationFailure.nonRetryable(problem, 'DecisionRefused');
        },
        description: 'Approve or reject the removal of the old CA: {decision, who, why}',
      },
    );
  }

  /** Waits for a decision, reminding while there is time; undefined when the deadline passes. */
  async decide({ deadlineMs, remindEveryMs }: CaPlan['approval'], remind: () => void): Promise<Decision | undefined> {
    const turnMs = remindEveryMs > 0 ? remindEveryMs : deadlineMs;
    for (let left = deadlineMs; left > 0 && !this.#decision; left -= turnMs) {
      const summary = left > turnMs ? 'Remind of the open decision' : 'Give up waiting for a decision';
      const decided = await condition(() => this.#decision !== undefined, Math.min(left, turnMs), { summary });
      if (decided) break;
      this.#board.problem('Nobody has decided yet; both CAs are trusted');
      if (left > turnMs) remind();
    }
    return this.#decision;
  }

  #take(verb: Decision['decision'], payload: unknown): void {
    const parsed = parseDecision(payload);
    if (typeof parsed === 'string') return this.#board.problem(`Ignored "${verb}": ${parsed}`);
    if (this.#board.phase !== 'approve')
      return this.#board.problem(`Ignored "${verb}" of ${parsed.who}: nothing is asked in phase ${this.#board.phase}`);
    if (this.#decision)
      return this.#board.problem(`Ignored "${verb}" of ${parsed.who}: ${this.#decision.who} has decided already`);
    this.#decision = { decision: verb, ...parsed };
  }

  #refusal(payload: unknown): string | undefined {
    const parsed = parseDecision(payload);
    if (typeof parsed === 'string') return parsed;
    const verb = (payload as Partial<Decision>).decision;
    if (verb !== 'approve' && verb !== 'reject') return '"decision" must be "approve" or "reject"';
    if (this.#board.phase !== 'approve') return `nothing to decide: the rotation is in phase ${this.#board.phase}`;
    if (this.#decision) return `${this.#decision.who} has decided already: ${this.#decision.decision}`;
    return undefined;
  }
}
