import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  abortLines,
  objectionToAbort,
  objectionToSkip,
  objectionToUndo,
  parseIntervention,
  type AbortFacts,
  type AbortState,
  type Intervention,
} from '../domain/intervention.js';
import type { CaPlan } from '../domain/rotation.js';
import { rootOf } from './failures.js';
import {
  abortCaRotationSignal,
  interveneUpdate,
  retryTargetSignal,
  skipTargetSignal,
  undoRemovalSignal,
  type InterventionTaken,
} from './messages.js';
import { prompt } from './options.js';
import type { StatusBoard } from './status.js';

/** Something that failed, and waits for a person. */
export interface Stuck {
  readonly what: string;
  readonly reason: string;
  readonly canSkip: boolean;
}

type Known = Partial<Pick<AbortState, 'plan' | 'compromised'>>;

/** What is not looked at is not there. */
const unseen: AbortFacts = { trustedBy: [], moved: [] };

/**
 * Takes what people tell a rotation under way: `retry` and `skip` of what failed, `abort` of the whole, `undoRemoval` of its
 * last step. As with approvals, handlers never throw: what does not fit is shown in the status (safety 30).
 */
export class Interventions {
  readonly #board: StatusBoard;
  readonly #stuck = new Map<string, Stuck>();
  readonly #answers = new Map<string, Intervention>();
  #known: Known = {};
  #moving: readonly string[] = [];
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
    setHandler(interveneUpdate, (sent) => this.#updated(parseIntervention(sent) as Intervention), {
      validator: (sent: unknown) => {
        const problem = this.#refusal(parseIntervention(sent));
        if (problem) throw ApplicationFailure.nonRetryable(problem, 'InterventionRefused');
      },
      description:
        'Retry or skip a target that failed, abort, or undoRemoval: {action, target, who, why, keepBoth, dryRun}',
    });
  }

  /** What this run knows of itself; an abort looks at the rest. */
  knows(known: Known): void {
    this.#known = { ...this.#known, ...known };
  }

  /** The old CA is: there is no way back to it. */
  get compromised(): boolean {
    return this.#known.compromised ?? false;
  }

  /** Targets whose move is under way. */
  get moving(): readonly string[] {
    return this.#moving;
  }

  /** Moves `target`. */
  async moves<Result>(target: string, move: () => Promise<Result>): Promise<Result> {
    this.#moving = [...this.#moving, target];
    try {
      return await move();
    } finally {
      this.#moving = this.#moving.filter((other) => other !== target);
    }
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

  /** The CA turned out to be compromised meanwhile: nothing puts it back. Whose undo that is. */
  dropUndo(): Intervention | undefined {
    const dropped = this.#undo;
    this.#undo = undefined;
    return dropped;
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
    if (this.#stuck.size > 0) void this.#take({ action: 'retry', who, why });
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
    try {
      for (let left = deadlineMs; left > 0 && !this.#answers.has(what); left -= turnMs) {
        tellPeople();
        await condition(() => this.#answers.has(what), Math.min(left, turnMs), { summary });
      }
    } finally {
      this.#stuck.delete(what);
      this.#show();
    }
    return this.#answers.get(what);
  }

  async #signalled(action: Intervention['action'], payload: unknown): Promise<void> {
    const intervention = parseIntervention(typeof payload === 'object' ? { ...payload, action } : payload);
    const ignored = (problem: string) => this.#board.problem(`Ignored "${action}": ${problem}`);
    const problem = this.#refusal(intervention);
    if (problem) return ignored(problem);
    await this.#take(intervention as Intervention).catch((error: unknown) => ignored(rootOf(error).message));
  }

  async #updated(intervention: Intervention): Promise<InterventionTaken> {
    return { accepted: true, undoes: await this.#take(intervention) };
  }

  #refusal(intervention: Intervention | string, facts: AbortFacts = unseen): string | undefined {
    if (typeof intervention === 'string') return intervention;
    const { action, target } = intervention;
    if (this.#abort) return `${this.#abort.who} has aborted the rotation already`;
    if (action === 'abort') return objectionToAbort(this.#abortState(facts), intervention, Date.now());
    if (action === 'undoRemoval')
      return this.#undo ? `${this.#undo.who} has it undone already` : objectionToUndo(this.#abortState(facts));
    const stuck = target === undefined ? [...this.#stuck.values()][0] : this.#stuck.get(target);
    if (!stuck) return `nothing${target ? ` of ${target}` : ''} waits for a ${action}`;
    if (action === 'skip' && !stuck.canSkip)
      return (this.#known.plan && objectionToSkip(this.#known.plan, stuck.what)) ?? `${stuck.what} cannot be skipped`;
    return undefined;
  }

  #abortState(facts: AbortFacts): AbortState {
    const compromised = this.compromised || facts.compromised === true;
    return { ...this.#known, ...facts, compromised, moving: this.#moving, phase: this.#board.phase };
  }

  /** Of an abort: what it undoes. */
  async #take(intervention: Intervention): Promise<readonly string[]> {
    const { action, target, who, why } = intervention;
    if (action === 'abort') return this.#takeAbort(intervention);
    if (action === 'undoRemoval') {
      this.#undo = intervention;
      this.#board.problem(`${who} (claimed) has the removal undone: ${why}`);
      this.#stopRemoval();
      return [];
    }
    for (const what of target ? [target] : this.#stuck.keys()) this.#answers.set(what, intervention);
    this.#board.problem(`${who} (claimed): ${action} ${target ?? 'all'}${why && `: ${why}`}`);
    return [];
  }

  /** Throws when the facts speak against it. Meanwhile the rotation goes on. */
  async #takeAbort(intervention: Intervention): Promise<readonly string[]> {
    const { who, why, keepBoth = false, dryRun } = intervention;
    const facts = keepBoth ? unseen : await this.#look();
    const problem = this.#refusal(intervention, facts);
    if (problem) throw ApplicationFailure.nonRetryable(problem, 'InterventionRefused');
    const lines = abortLines(this.#abortState(facts), keepBoth);
    if (dryRun) return lines;
    this.#abort = intervention;
    this.#board.problem(`${who} (claimed) aborts: ${why}. ${lines.join(' ')}`);
    this.#stop();
    return lines;
  }

  async #look(): Promise<AbortFacts> {
    const { authority = '' } = this.#known.plan ?? {};
    return prompt.abortFacts.executeWithOptions({ summary: 'See what an abort would undo' }, [
      { authority, rotation: workflowInfo().runId },
    ]);
  }

  #show(): void {
    const stuck = [...this.#stuck.values()];
    if (stuck.length === 0) return this.#board.wait('', '');
    const authority = this.#known.plan?.authority ?? '';
    const [first] = stuck;
    const skip = first!.canSkip ? ` | skip ${authority} ${first!.what} --who <you> --why <reason>` : '';
    this.#board.wait(
      `a person, because of ${stuck.map(({ what, reason }) => `${what} (${reason})`).join('; ')}`,
      `cert-rotation retry ${authority} --who <you>${skip} | abort ${authority} --who <you> --why <reason>`,
    );
  }
}
