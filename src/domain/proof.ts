/** Proof that a namespace admits a leaf: accepted probes in a row on every endpoint, over a time (safety 35). */
export interface Streak {
  readonly successes: number;
  /** Milliseconds since the epoch; when the run of successes began. */
  readonly since?: number;
}

export interface ProofNeed {
  /** Accepted probes in a row. */
  readonly successes: number;
  /** They must span at least so many milliseconds: several front ends take a change over at different times. */
  readonly overMs: number;
}

export const noStreak: Streak = { successes: 0 };

/** One refusal, or one silence, starts the count anew. */
export function observe(streak: Streak, accepted: boolean, now: number): Streak {
  return accepted ? { successes: streak.successes + 1, since: streak.since ?? now } : noStreak;
}

export function isProved(streak: Streak, need: ProofNeed, now: number): boolean {
  return streak.since !== undefined && streak.successes >= need.successes && now - streak.since >= need.overMs;
}
