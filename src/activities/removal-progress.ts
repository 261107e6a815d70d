import { Context } from '@temporalio/activity';
import type { TrustChange } from '../cloud/cloud.js';
import { RotationError } from '../domain/failures.js';
import type { Progress } from '../targets/target.js';
import { stopOf, stopSignal } from './failures.js';

/** What an attempt of the removal tells the next one, in its heartbeats. */
interface Remembered {
  /** RFC 3339; when the old CA left: the watch counts from then. */
  readonly removedAt?: string;
  /** Why it is being put back: whoever takes over does only that. */
  readonly undoReason?: string;
  /** What a person should know of how the changes of the cloud went. */
  readonly notes?: readonly string[];
}

/** How far a removal is: what it reports, what it remembers across attempts, and what an error means to it. */
export class RemovalProgress implements Progress {
  readonly signal: AbortSignal = stopSignal(Context.current());
  #remembered: Remembered = rememberedBy(Context.current().info.heartbeatDetails);
  #began = this.#remembered.removedAt !== undefined;

  /** Something may have been removed: from here on an end without success must put it back. */
  get began(): boolean {
    return this.#began;
  }

  get undoReason(): string | undefined {
    return this.#remembered.undoReason;
  }

  get notes(): readonly string[] {
    return this.#remembered.notes ?? [];
  }

  /** Milliseconds since the epoch; undefined until something was removed. */
  get removedAt(): number | undefined {
    const { removedAt } = this.#remembered;
    return removedAt === undefined ? undefined : Date.parse(removedAt);
  }

  /** One line for a person. */
  readonly report = (line: string): void => {
    Context.current().heartbeat({ line, ...this.#remembered });
  };

  note({ notes = [] }: TrustChange): void {
    if (notes.length > 0) this.#remembered = { ...this.#remembered, notes: [...this.notes, ...notes] };
  }

  begin(line: string): void {
    this.#began = true;
    this.report(line);
  }

  removed(now: Date): void {
    this.#remembered = { ...this.#remembered, removedAt: now.toISOString() };
    this.begin('removed');
  }

  /** An earlier attempt removed it: its watch goes on. */
  foundRemoved(now: Date): void {
    this.#remembered = { ...this.#remembered, removedAt: this.#remembered.removedAt ?? now.toISOString() };
    this.begin('removed already');
  }

  undoing(reason: string): this {
    this.#remembered = { ...this.#remembered, undoReason: reason };
    this.report(`putting the old CA back: ${reason}`);
    return this;
  }

  /**
   * Another attempt takes over: the worker shuts down (the activity is paused, reset), or a retry may help. A person's
   * cancellation and every finding end the removal. Endpoints that nobody reaches for the whole time of a proof are one.
   */
  goesOn(error: unknown): boolean {
    if (this.signal.aborted) return stopOf(Context.current()) === 'hand over';
    return !(error instanceof RotationError) || (error.retryable && error.type !== 'ProbeUnreachable');
  }
}

function rememberedBy(heartbeatDetails: unknown): Remembered {
  const { removedAt, undoReason, notes } = (heartbeatDetails ?? {}) as Remembered;
  return {
    ...(removedAt && { removedAt }),
    ...(undoReason && { undoReason }),
    ...(notes && { notes }),
  };
}
