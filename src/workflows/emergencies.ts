import { ApplicationFailure, condition, setHandler, sleep } from '@temporalio/workflow';
import type { CompromisedCas } from '../activities/compromised.js';
import { isSameEmergency, objectionToEmergency, parseEmergency, urgent, type Emergency } from '../domain/emergency.js';
import type { Fingerprint } from '../domain/certificate.js';
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
  /** Taken, the last one last, whether or not it is on record yet. */
  readonly #taken: Emergency[] = [];
  #declared: Emergency | undefined;
  #recorded: Promise<void> = Promise.resolve();
  #next: Fingerprint | undefined;
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
        await this.take(parseEmergency(sent) as Emergency);
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

  /** Resolves once everything that was taken so far is on record. */
  async recorded(): Promise<void> {
    await this.#recorded;
  }

  /** Once, however often it is said. */
  take(emergency: Emergency): Promise<void> {
    if (this.#taken.some((other) => isSameEmergency(other, emergency))) return this.#recorded;
    this.#taken.push(emergency);
    const before = this.#recorded;
    this.#recorded = before.then(() => this.#declare(emergency));
    return this.#recorded;
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
    if (this.#taken.some((other) => isSameEmergency(other, emergency))) return undefined;
    return objectionToEmergency(this.#board.phase);
  }

  async #declare(emergency: Emergency): Promise<void> {
    const { who, why, leaked } = emergency;
    try {
      const cas = await write.declareCompromised.executeWithOptions(
        { summary: `Put on record whose key leaked: ${leaked}` },
        [{ authority: this.#authority, leaked, who, why, ...(this.#next && { next: this.#next }) }],
      );
      this.#board.problem(`${who} (claimed) declared ${leaked === 'none' ? 'a rescue' : 'an emergency'}: ${why}`);
      cas.lines.forEach((line) => this.#board.problem(line));
      this.#declared = emergency;
      if (this.#onDeclared) await this.#onDeclared(cas);
      else this.#unheard = cas;
    } catch (error) {
      this.#board.problem(`The emergency of ${who} could not be put on record: ${rootOf(error).message}`);
    }
  }
}
