import type { Span } from '../gateway/measures.js';

export interface LeafRotationTimes {
  /** The workflow, from its start to its end, by Temporal's clock. */
  readonly whole: Span;
  /** From when the Deployment had its new template until only new pods were left, available and polling: not ours to shorten. */
  readonly rollout: Span;
  /** What the configuration says to wait: `secretPropagation`, `proof.over`. */
  readonly configuredMs: readonly number[];
}

/** Milliseconds that a leaf rotation takes itself: the whole, without the waits that were asked for and without the rollout. */
export function ownMs({ whole, rollout, configuredMs }: LeafRotationTimes): number {
  const waits = configuredMs.reduce((sum, wait) => sum + wait, 0);
  return whole.to - whole.from - waits - (rollout.to - rollout.from);
}
