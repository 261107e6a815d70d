import { ApplicationFailure, CancellationScope, CancelledFailure, condition, setHandler } from '@temporalio/workflow';
import {
  abortLines,
  objectionToAbort,
  objectionToSkip,
  objectionToUndo,
  parseIntervention,
  type AbortState,
  type Intervention,
} from '../domain/intervention.js';
import type { CaPlan } from '../domain/rotation.js';
import {
  abortCaRotationSignal,
  interveneUpdate,
  retryTargetSignal,
  skipTargetSignal,
  undoRemovalSignal,
} from './messages.js';
import type { StatusBoard } from './status.js';

/** Something that failed, and waits for a person. */
interface Stuck {
  readonly what: string;
  readonly reason: string;
  readonly canSkip: boolean;
}

/**
 * Takes what people tell a rotation under way: `retry` and `skip` of what failed, `abort` of the whole, `undoRemoval` of its
 * last step. As with approvals, handlers never throw: what does not fit is shown in the status (safety 30).
 */
export class Interventions {
  readonly #board: StatusBoard;
  readonly #stuck = new Map<string, Stuck>();
  readonly #answers = new Map<string, Intervention>();
  #state: Omit<AbortState, 'phase'> = { touched: [] };
  #abort: Intervention | undefined;
  #undo: Intervention | undefined;
  #anew = false;
  #stop: () => void = () => undefined;
  #stopRemoval: () => void = () => undefined;

  constructor(board: StatusBoard) {
    this.#board = board;
    const signalled = (action: Intervention['action']) => (payload: unknown) => this.#signalled(action, payload);
    setHandler(retryTargetSignal, signalled('retry'));
    setHandler(skipTargetSignal, signalled('skip'));
    setHandler(abortCaRotationSignal, signalled('abort'));
    setHandler(undoRemovalSignal, signalled('undoRemoval'));
    setHandler(interveneUpdate, (sent) => ({ accepted: true, undoes: this.#take(parseIntervention(sent)) }), {
      validator: (sent: unknown) => {
        const problem = this.#refusal(parseIntervention(sent));
        if (problem) throw ApplicationFailure.nonRetryable(problem, 'InterventionRefused');
      },
      description:
        'Retry or skip a target that failed, abort, or undoRemoval: {action, target, who, why, keepBoth, dryRun}',
    });
  }

  /** What an abort would have to undo. */
  knows(state: Partial<Omit<AbortState, 'phase' | 'touched'>>): void {
    this.#state = { ...this.#state, ...state };
  }

  /** The old CA is: there is no way back to it. */
  get compromised(): boolean {
    return this.#state.compromised ?? false;
  }

  /** Targets whose move has begun. */
  get touched(): readonly string[] {
    return this.#state.touched;
  }

  /** The move of this target begins. */
  touches(target: string): void {
    if (this.#state.touched.includes(target)) return;
    this.#state = { ...this.#state, touched: [...this.#state.touched, target] };
  }

  /** Does `work` to its end, or until a person aborts, or it is to begin anew: then what is under way is cancelled. */
  async unlessStopped<Result>(
    work: () => Promise<Result>,
  ): Promise<{ result: Result } | { abort: Intervention } | { anew: true }> {
    const scope = new CancellationScope();
    const abortedBefore = this.#abort;
    this.#stop = () => scope.cancel();
    try {
      return { result: await scope.run(work) };
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      if (this.#anew) {
        this.#anew = false;
        this.#abort = undefined;
        return { anew: true };
      }
      if (!this.#abort || this.#abort === abortedBefore) throw error;
      return { abort: this.#abort };
    }
  }

  /** What was done rests on a CA that is compromised: it is done again, with another one. */
  beginAnew(): void {
    this.#anew = true;
    this.#stop();
  }

  /** Who has the removal undone; undefined: nobody. */
  get undo(): Intervention | undefined {
    return this.#undo;
  }

  /** Removes and watches; a person may have it cancelled, and the activity then puts back what it took. */
  async removing(work: () => Promise<void>): Promise<void> {
    const scope = new CancellationScope();
    this.#stopRemoval = () => scope.cancel();
    await scope.run(work);
    // Asked for when there was nothing left to cancel: it is undone all the same.
    if (this.#undo) throw new CancelledFailure('the removal is to be undone');
  }

  /** Whatever waits for a person is tried again. */
  retryWhatWaits({ who, why }: Pick<Intervention, 'who' | 'why'>): void {
    if (this.#stuck.size > 0) this.#take({ action: 'retry', who, why });
  }

  /** Waits for the word of a person on a target, or on the evidence as a whole; undefined when nobody says any in time. */
  async onFailure(
    stuck: Stuck,
    { deadlineMs, remindEveryMs }: CaPlan['approval'],
    tellPeople: () => void,
  ): Promise<Intervention | undefined> {
    const { what } = stuck;
    this.#stuck.set(what, stuck);
    this.#answers.delete(what);
    this.#show();
    const turnMs = remindEveryMs > 0 ? remindEveryMs : deadlineMs;
    const summary = `Wait for a person to retry${stuck.canSkip ? ', skip' : ''} or abort: ${what}`;
    for (let left = deadlineMs; left > 0 && !this.#answers.has(what); left -= turnMs) {
      tellPeople();
      await condition(() => this.#answers.has(what), Math.min(left, turnMs), { summary });
    }
    this.#stuck.delete(what);
    this.#show();
    return this.#answers.get(what);
  }

  #signalled(action: Intervention['action'], payload: unknown): void {
    const intervention = parseIntervention(typeof payload === 'object' ? { ...payload, action } : payload);
    const problem = this.#refusal(intervention);
    if (problem) this.#board.problem(`Ignored "${action}": ${problem}`);
    else this.#take(intervention);
  }

  #refusal(intervention: Intervention | string): string | undefined {
    if (typeof intervention === 'string') return intervention;
    const { action, target } = intervention;
    if (this.#abort) return `${this.#abort.who} has aborted the rotation already`;
    if (action === 'abort')
      return objectionToAbort({ ...this.#state, phase: this.#board.phase }, intervention, Date.now());
    if (action === 'undoRemoval')
      return this.#undo
        ? `${this.#undo.who} has it undone already`
        : objectionToUndo({ ...this.#state, phase: this.#board.phase });
    const stuck = target === undefined ? [...this.#stuck.values()][0] : this.#stuck.get(target);
    if (!stuck) return `nothing${target ? ` of ${target}` : ''} waits for a ${action}`;
    if (action === 'skip' && !stuck.canSkip)
      return (this.#state.plan && objectionToSkip(this.#state.plan, stuck.what)) ?? `${stuck.what} cannot be skipped`;
    return undefined;
  }

  #take(intervention: Intervention | string): readonly string[] {
    if (typeof intervention === 'string') return [];
    const { action, target, who, why, keepBoth = false, dryRun } = intervention;
    if (action === 'undoRemoval') {
      this.#undo = intervention;
      this.#board.problem(`${who} (claimed) has the removal undone: ${why}`);
      this.#stopRemoval();
      return [];
    }
    if (action !== 'abort') {
      for (const what of target ? [target] : this.#stuck.keys()) this.#answers.set(what, intervention);
      this.#board.problem(`${who} (claimed): ${action} ${target ?? 'all'}${why && `: ${why}`}`);
      return [];
    }
    const lines = abortLines({ ...this.#state, phase: this.#board.phase }, keepBoth);
    if (dryRun) return lines;
    this.#abort = intervention;
    this.#board.problem(`${who} (claimed) aborts: ${why}. ${lines.join(' ')}`);
    this.#stop();
    return lines;
  }

  #show(): void {
    const stuck = [...this.#stuck.values()];
    if (stuck.length === 0) return this.#board.wait('', '');
    const authority = this.#state.plan?.authority ?? '';
    const [first] = stuck;
    const skip = first!.canSkip ? ` | skip ${authority} ${first!.what} --who <you> --why <reason>` : '';
    this.#board.wait(
      `a person, because of ${stuck.map(({ what, reason }) => `${what} (${reason})`).join('; ')}`,
      `cert-rotation retry ${authority} --who <you>${skip} | abort ${authority} --who <you> --why <reason>`,
    );
  }
}
