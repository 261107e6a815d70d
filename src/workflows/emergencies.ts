import { ApplicationFailure, condition, setHandler, sleep } from '@temporalio/workflow';
import type { CompromisedCas } from '../activities/compromised.js';
import { isSameEmergency, objectionToEmergency, parseEmergency, urgent, type Emergency } from '../domain/emergency.js';
import type { Fingerprint } from '../domain/certificate.js';
import type { FailureType } from '../domain/failures.js';
import type { CaPlan } from '../domain/rotation.js';
import { rootOf } from './failures.js';
import { declareEmergencySignal, emergencyUpdate } from './messages.js';
import { write } from './options.js';
import type { StatusBoard } from './status.js';

/**
 * Takes emergencies, with the start or at any time before the last step (safety 43). First the authority's record says which
 * CAs are compromised, so that nothing that runs already puts one back; then whatever waits for time or people goes on. As with
 * approvals, handlers never throw: what does not fit is shown in the status (safety 30).
 */
export class Emergencies {
  readonly #authority: string;
  readonly #board: StatusBoard;
  /** On record, or on the way to it. One that could not be put there is none of them: it may be declared again. */
  readonly #taken: Taken[] = [];
  #declared: Emergency | undefined;
  #recorded: Promise<void> = Promise.resolve();
  #next: Fingerprint | undefined;
  readonly #leakedNext = new Set<Fingerprint>();
  #onDeclared: ((cas: CompromisedCas) => Promise<void>) | undefined;
  /** Declared before anybody asked to be called. */
  #unheard: CompromisedCas | undefined;

  constructor(authority: string, board: StatusBoard) {
    this.#authority = authority;
    this.#board = board;
    setHandler(declareEmergencySignal, (payload: unknown) => this.#signalled(payload));
    setHandler(
      emergencyUpdate,
      async (sent) => {
        const problem = await this.take(parseEmergency(sent) as Emergency);
        if (problem) throw ApplicationFailure.nonRetryable(problem, 'EmergencyNotRecorded' satisfies FailureType);
        return { accepted: true, phase: this.#board.phase };
      },
      {
        validator: (sent: unknown) => {
          const problem = this.#refusal(parseEmergency(sent));
          if (problem) throw ApplicationFailure.nonRetryable(problem, 'EmergencyRefused');
        },
        description: 'The key of a CA leaked: {who, why, leaked: current | next | both, lockOutUnknown}',
      },
    );
  }

  /** The last one on record; undefined: none. */
  get declared(): Emergency | undefined {
    return this.#declared;
  }

  /** Calls once one is on record, and now for one that is already. */
  async whenDeclared(call: (cas: CompromisedCas) => Promise<void>): Promise<void> {
    this.#onDeclared = call;
    const unheard = this.#unheard;
    this.#unheard = undefined;
    if (unheard) await call(unheard);
  }

  /** The CA that this rotation has made to follow the current one. */
  knows(next: Fingerprint): void {
    this.#next = next;
  }

  /** Is it on record that the key of this CA leaked, which was to follow the current one? */
  isLeaked(next: Fingerprint): boolean {
    return this.#leakedNext.has(next);
  }

  /** Resolves once it is known of everything that was taken so far whether it is on record. */
  async recorded(): Promise<void> {
    await this.#recorded;
  }

  /** Once, however often it is said. Resolves with why it is not on record; undefined: it is. */
  take(emergency: Emergency): Promise<string | undefined> {
    const known = this.#taken.find((other) => isSameEmergency(other.emergency, emergency));
    if (known) return known.problem;
    const problem = this.#recorded.then(() => this.#declare(emergency));
    this.#taken.push({ emergency, problem });
    this.#recorded = problem.then(() => undefined);
    return problem;
  }

  /** Waits as long as the plan says, but no longer than an emergency lets it. */
  async pause(time: 'trustSoakMs' | 'soakMs', plan: CaPlan, summary: string): Promise<void> {
    const [began, usual, cut] = [Date.now(), plan[time], urgent(plan)[time]];
    if (this.#declared) return cut === 0 ? undefined : sleep(cut, { summary });
    const isCut = await condition(() => this.#declared !== undefined, usual, { summary });
    const left = began + cut - Date.now();
    if (isCut && left > 0) await sleep(left, { summary });
  }

  async #signalled(payload: unknown): Promise<void> {
    const emergency = parseEmergency(payload);
    const problem = this.#refusal(emergency);
    if (problem) return this.#board.problem(`Ignored "emergency": ${problem}`);
    await this.take(emergency as Emergency);
  }

  #refusal(emergency: Emergency | string): string | undefined {
    if (typeof emergency === 'string') return emergency;
    if (this.#taken.some((other) => isSameEmergency(other.emergency, emergency))) return undefined;
    return objectionToEmergency(this.#board.phase);
  }

  async #declare(emergency: Emergency): Promise<string | undefined> {
    const { who, why, leaked } = emergency;
    const cas = await this.#record(emergency).catch((error: unknown) => rootOf(error).message);
    if (typeof cas === 'string') {
      const taken = this.#taken.findIndex((other) => other.emergency === emergency);
      this.#taken.splice(taken, 1);
      const problem = `The emergency of ${who} could not be put on record, and does not count: ${cas}`;
      this.#board.problem(problem);
      return problem;
    }
    this.#board.problem(`${who} (claimed) declared ${leaked === 'none' ? 'a rescue' : 'an emergency'}: ${why}`);
    cas.lines.forEach((line) => this.#board.problem(line));
    this.#declared = emergency;
    if (cas.next !== undefined) this.#leakedNext.add(cas.next);
    if (this.#onDeclared) await this.#escalate(this.#onDeclared, cas);
    else this.#unheard = cas;
    return undefined;
  }

  async #record({ who, why, leaked }: Emergency): Promise<CompromisedCas> {
    return write.declareCompromised.executeWithOptions({ summary: `Put on record whose key leaked: ${leaked}` }, [
      { authority: this.#authority, leaked, who, why, ...(this.#next && { next: this.#next }) },
    ]);
  }

  /** It is on record whatever comes of this. */
  async #escalate(call: (cas: CompromisedCas) => Promise<void>, cas: CompromisedCas): Promise<void> {
    await call(cas).catch((error: unknown) =>
      this.#board.problem(`Not everything that waits was hurried: ${rootOf(error).message}`),
    );
  }
}

interface Taken {
  readonly emergency: Emergency;
  /** Why it is not on record; undefined: it is. */
  readonly problem: Promise<string | undefined>;
}
