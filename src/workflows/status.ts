import { setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { RemovalQuestion, RotationStatus } from '../domain/rotation.js';
import { rotationPhase, rotationSubject, statusQuery } from './messages.js';

/** The live status behind the `status` query, the current details in the Temporal UI, and the search attributes. */
export class StatusBoard {
  readonly subject: string;
  #status: RotationStatus = { phase: 'preflight', waitingFor: '', proved: [], next: '', problems: [] };
  #undone: string | undefined;
  #searchAttributes = false;

  constructor(subject: string) {
    this.subject = subject;
    setHandler(statusQuery, () => this.#status, {
      description: 'Phase, what it waits for, what is proved, what to do next',
    });
    this.#show();
  }

  get phase(): RotationStatus['phase'] {
    return this.#status.phase;
  }

  get problems(): readonly string[] {
    return this.#status.problems;
  }

  get exposed(): readonly string[] {
    return this.#status.exposed ?? [];
  }

  /** What was undone after a failure; undefined as long as nothing was. */
  get undone(): string | undefined {
    return this.#undone;
  }

  /**
   * Call once the plan says that the attributes are registered: an unregistered one would hang the workflow. Each phase
   * costs one action; a leaf rotation, which lasts a minute, does without.
   */
  useSearchAttributes(): void {
    this.#searchAttributes = true;
    this.#upsert();
  }

  /** `next` is what a person can do meanwhile. */
  enter(phase: RotationStatus['phase'], waitingFor = '', next = ''): void {
    const { question: _answered, ...status } = this.#status;
    this.#status = { ...status, phase, waitingFor, next };
    this.#upsert();
    this.#show();
  }

  /** Shown until the next phase. */
  ask(question: RemovalQuestion): void {
    this.#status = { ...this.#status, question };
    this.#show();
  }

  wait(waitingFor: string, next = this.#status.next): void {
    this.#status = { ...this.#status, waitingFor, next };
    this.#show();
  }

  prove(line: string): void {
    this.#status = { ...this.#status, proved: [...this.#status.proved, line] };
    this.#show();
  }

  problem(line: string): void {
    this.#status = { ...this.#status, problems: [...this.#status.problems, line] };
    this.#show();
  }

  /** What a compromised CA still opens, until it is said anew. */
  expose(exposed: readonly string[]): void {
    this.#status = { ...this.#status, exposed };
    this.#show();
  }

  /** A failure was undone. */
  undo(line: string): void {
    this.#undone = line;
    this.problem(line);
  }

  #upsert(): void {
    if (!this.#searchAttributes) return;
    upsertSearchAttributes([
      { key: rotationSubject, value: this.subject },
      { key: rotationPhase, value: this.#status.phase },
    ]);
  }

  #show(): void {
    const { phase, waitingFor, proved, next, problems, question, exposed = [] } = this.#status;
    const lines = [`**${this.subject}**: phase **${phase}**`];
    if (exposed.length > 0) lines.push('', '**EMERGENCY**. Still exposed:', ...exposed.map((line) => `- ${line}`));
    if (waitingFor) lines.push('', `Waiting for: ${waitingFor}`);
    if (next) lines.push('', `Next: ${next}`);
    if (question) lines.push('', `Evidence ${question.evidence}:`, ...question.facts.map((line) => `- ${line}`));
    if (question) lines.push('', ...question.unseen.map((line) => `- ${line}`), '', `Decide by ${question.until}.`);
    if (proved.length > 0) lines.push('', 'Proved:', ...proved.map((line) => `- ${line}`));
    if (problems.length > 0) lines.push('', 'Problems:', ...problems.map((line) => `- ${line}`));
    setCurrentDetails(lines.join('\n'));
  }
}
