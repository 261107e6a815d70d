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
export function whyLeftToMove(
  target: string,
  move: MoveUnderWay | undefined,
  room: RenewalRoom,
  now: Date,
): string | undefined {
  if (!move || !moves(move.plan, target)) return undefined;
  const { plan } = move;
  const ends = now.getTime() + turnsOf(plan) * (oneMoveMs(plan) + room.windowMs);
  const deadline = Date.parse(room.notAfter) - oneMoveMs(plan) - room.windowMs - room.alertMs - room.intervalMs;
  if (ends > deadline) return undefined;
  return `${caRotationId(plan.authority)} moves it: done by ${new Date(ends).toISOString()} at the latest`;
}

/** A leaf is proved, rolled out, and its adoption waited for. */
const oneMoveMs = ({ proofDeadlineMs, rolloutDeadlineMs }: CaPlan): number => proofDeadlineMs + 2 * rolloutDeadlineMs;

/** One that came into the configuration since is moved by a later turn of the rotation, nobody knows when. */
function moves({ canaries, alone, others }: CaPlan, target: string): boolean {
  return [...canaries, ...alone, ...others].includes(target);
}

/** One after the other; the window that one of them waited for may have closed before the next. */
function turnsOf({ canaries, alone, others }: CaPlan): number {
  return canaries.length + alone.length + Math.ceil(others.length / atOnce);
}
