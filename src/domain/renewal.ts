import { caRotationId } from './ids.js';
import { atOnce } from './intervention.js';
import type { CaPlan } from './rotation.js';

/** A CA rotation that moves targets now, and waits for nobody. */
export interface MoveUnderWay {
  readonly plan: CaPlan;
}

/** What a renewal on schedule leaves room for. Milliseconds, but for `notAfter` (RFC 3339) of the leaf in place. */
export interface RenewalRoom {
  readonly notAfter: string;
  /** The longest that a restart can wait for a window. */
  readonly windowMs: number;
  /** Until the schedule would come by again. */
  readonly intervalMs: number;
  readonly alertMs: number;
}

/**
 * Why the schedule leaves this leaf to the CA rotation that moves it, too: one restart instead of two. Undefined: it is
 * renewed now. Left only where the rotation ends, however slow it is, so early that the next scheduled run, or somebody who
 * is alarmed by then, still renews the leaf in time.
 */
export function whyLeftToMove(move: MoveUnderWay | undefined, room: RenewalRoom, now: Date): string | undefined {
  if (!move) return undefined;
  const { plan } = move;
  const ends = now.getTime() + longestMoveMs(plan) + room.windowMs;
  const deadline = Date.parse(room.notAfter) - oneMoveMs(plan) - room.windowMs - room.alertMs - room.intervalMs;
  if (ends > deadline) return undefined;
  return `${caRotationId(plan.authority)} moves it: done by ${new Date(ends).toISOString()} at the latest`;
}

/** A leaf is proved, rolled out, and its adoption waited for. */
const oneMoveMs = ({ proofDeadlineMs, rolloutDeadlineMs }: CaPlan): number => proofDeadlineMs + 2 * rolloutDeadlineMs;

function longestMoveMs(plan: CaPlan): number {
  const { canaries, alone, others } = plan;
  return (canaries.length + alone.length + Math.ceil(others.length / atOnce)) * oneMoveMs(plan);
}
