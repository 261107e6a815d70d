/**
 * The watch after a removal: what each look around finds, and when it is over or lost. Being unable to look is no finding,
 * but whoever cannot look at the end has not seen that all is well.
 */

export type Look =
  | { readonly kind: 'well' }
  /** Cannot be told now: something does not answer, or has not shown itself yet. */
  | { readonly kind: 'blind'; readonly line: string }
  /** Somebody is not there, as a pod is that is being replaced. */
  | { readonly kind: 'away'; readonly line: string }
  /** Somebody is locked out, or will be. */
  | { readonly kind: 'lost'; readonly line: string };

const severity = ['well', 'blind', 'away', 'lost'] as const;

/** Of what one look around found, that which matters. */
export function worst(looks: readonly Look[]): Look {
  return [...looks].sort((a, b) => severity.indexOf(b.kind) - severity.indexOf(a.kind))[0] ?? { kind: 'well' };
}

/** The present kind of finding, and since when it is so (milliseconds since the epoch). */
export interface Watch {
  readonly look: Look;
  readonly since: number;
}

export interface WatchLimits {
  /** When the watch may end, if all is well then (milliseconds since the epoch). */
  readonly end: number;
  /** Whoever is away for longer has fallen off. */
  readonly awayMs: number;
  /** So long the watch goes on without being able to look, once its time is over. */
  readonly blindMs: number;
}

export function see(watch: Watch | undefined, look: Look, now: number): Watch {
  return { look, since: watch?.look.kind === look.kind ? watch.since : now };
}

export function judge(
  { look, since }: Watch,
  { end, awayMs, blindMs }: WatchLimits,
  now: number,
): 'on' | 'over' | 'lost' {
  switch (look.kind) {
    case 'well':
      return now >= end ? 'over' : 'on';
    case 'blind':
      return now >= end && now - since >= blindMs ? 'lost' : 'on';
    case 'away':
      return now - since >= awayMs ? 'lost' : 'on';
    case 'lost':
      return 'lost';
  }
}
