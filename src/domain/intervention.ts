import { short, type CertificateFacts } from './certificate.js';
import type { CaPhase, CaPlan, RotationStatus } from './rotation.js';

/** What a person tells a CA rotation that is under way. Who they are is claimed. */
export interface Intervention {
  readonly action: 'retry' | 'skip' | 'abort' | 'undoRemoval';
  /** Of `retry` and `skip`; a `retry` without one means everything that waits. */
  readonly target?: string;
  readonly who: string;
  readonly why: string;
  /** Of `abort`: end it as it is, with both CAs trusted. */
  readonly keepBoth?: boolean;
  /** Of `abort`: only say what it would undo. */
  readonly dryRun?: boolean;
}

const actions: readonly Intervention['action'][] = ['retry', 'skip', 'abort', 'undoRemoval'];

/** Reads what a person sent. Returns the problem as text where it is no intervention. */
export function parseIntervention(payload: unknown): Intervention | string {
  if (typeof payload !== 'object' || payload === null) return 'send {"who": "...", "why": "..."}';
  const { action, target, who, why, keepBoth, dryRun } = payload as Record<string, unknown>;
  if (!actions.includes(action as Intervention['action'])) return `"action" must be one of ${actions.join(', ')}`;
  if (typeof who !== 'string' || who.trim() === '') return '"who" must name the person who decides';
  if (why !== undefined && typeof why !== 'string') return '"why" must be a text';
  if (target !== undefined && typeof target !== 'string') return '"target" must be the name of a target';
  if (action === 'skip' && !target) return '"target" must name the target to skip';
  if (action !== 'retry' && !why?.trim()) return '"why" must give the reason, for the record';
  return {
    action: action as Intervention['action'],
    who: who.trim(),
    why: (why ?? '').trim(),
    ...(target && { target }),
    ...(keepBoth === true && { keepBoth }),
    ...(dryRun === true && { dryRun }),
  };
}

/** A target that nobody may take out of the rotation: it is the proof that the new CA works. */
export function objectionToSkip({ canaries }: Pick<CaPlan, 'canaries'>, target: string): string | undefined {
  if (!canaries.includes(target)) return undefined;
  return `${target} is a canary: until it moved, nothing proves that the new CA works. Retry it, or abort`;
}

export interface BothCas {
  /** The new one; absent: none was made. */
  readonly ca?: CertificateFacts;
  readonly old?: CertificateFacts;
}

/** What there is to undo, whoever did it: this run, one before it that was terminated, or a schedule. */
export interface AbortFacts extends BothCas {
  /** Nothing goes back to the old CA (safety 43). */
  readonly compromised?: boolean;
  /** Namespaces that trust the new CA. */
  readonly trustedBy: readonly string[];
  /** Targets that are on a leaf of the new CA. */
  readonly moved: readonly string[];
}

/** How far a rotation is, as its abort sees it. */
export interface AbortState extends AbortFacts {
  readonly phase: RotationStatus['phase'];
  /** Absent: not resolved yet. */
  readonly plan?: CaPlan;
  /** Targets whose move is under way: it is cancelled. */
  readonly moving: readonly string[];
}

const pastAbort: readonly RotationStatus['phase'][] = ['watch', 'finish', 'done', 'abort'] satisfies (
  CaPhase | 'done'
)[];
const keepBothInstead = 'cert-rotation abort --keep-both ends it with both CAs trusted';

/** Why an abort is refused; undefined when it is not, as far as was looked. @param now milliseconds since the epoch */
export function objectionToAbort(
  { phase, plan, ca, old, moved, moving, compromised = false }: AbortState,
  { keepBoth = false }: Pick<Intervention, 'keepBoth'>,
  now: number,
): string | undefined {
  if (phase === 'remove' && compromised) return 'the old CA is compromised: nothing puts it back';
  if (phase === 'remove') return 'too late, the removal has begun: cert-rotation undo-removal puts the old CA back';
  if (pastAbort.includes(phase)) return `too late: the rotation is in phase ${phase}`;
  if (compromised && !keepBoth)
    return `the old CA is compromised, and nothing goes back to it; ${keepBothInstead}, the compromised one, too`;
  if (!plan) return 'the rotation has not even read its configuration: try again in a moment';
  if (keepBoth || !ca || moved.length + moving.length === 0) return undefined;
  if (!old) return `targets moved, and there is no old CA to move them back to; ${keepBothInstead}`;
  if (Date.parse(old.notAfter) - now > 2 * rolloutTimeMs(plan)) return undefined;
  return `the old CA ${short(old.fingerprint)} expires at ${old.notAfter}, within twice the time of a rollout; ${keepBothInstead}`;
}

/** Why there is no removal to undo; undefined when there is. */
export function objectionToUndo({ phase, compromised }: Pick<AbortState, 'phase' | 'compromised'>): string | undefined {
  if (compromised) return 'the old CA is compromised: it stays out, and whoever fell off moves on to the new one';
  if (phase === 'remove') return undefined;
  return `nothing is being removed: the rotation is in phase ${phase}`;
}

/** So many leaf rotations of the others run at once. */
export const atOnce = 4;

/** The longest that moving every target can take. */
export function rolloutTimeMs({ canaries, alone, others, rolloutDeadlineMs }: CaPlan): number {
  return (canaries.length + alone.length + Math.ceil(others.length / atOnce)) * rolloutDeadlineMs;
}

/** What an abort will undo, in its order. */
export function abortLines({ ca, old, moved, moving, trustedBy }: AbortState, keepBoth: boolean): readonly string[] {
  if (keepBoth) return ['Nothing is undone: what is trusted stays so, and leaves come from the CA that signs now.'];
  if (!ca) return ['Nothing was changed yet; nothing is to be undone.'];
  const under = moving.filter((target) => !moved.includes(target));
  const isAnyOnIt = moved.length + under.length > 0;
  const where = trustedBy.length > 0 ? `leaves ${trustedBy.join(', ')}` : 'is trusted by nobody';
  return [
    ...(under.length > 0 ? [`Cancelled, and put back onto a pair that works: ${under.join(', ')}.`] : []),
    ...(old && isAnyOnIt ? [`Leaves come from the old CA ${short(old.fingerprint)} again.`] : []),
    ...(moved.length > 0 ? [`Moved back onto it, by ordinary leaf rotations: ${moved.join(', ')}.`] : []),
    `The new CA ${short(ca.fingerprint)} ${where}${isAnyOnIt ? ', only after that' : ''}; its key is destroyed.`,
    'Filters that were widened stay as wide.',
  ];
}
