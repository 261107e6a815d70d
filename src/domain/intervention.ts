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

/** How far a rotation is, as its abort sees it. */
export interface AbortState {
  readonly phase: RotationStatus['phase'];
  /** Absent: not resolved yet. */
  readonly plan?: CaPlan;
  /** Absent: not made yet. */
  readonly ca?: CertificateFacts;
  readonly old?: CertificateFacts;
  /** Targets whose move has begun. */
  readonly touched: readonly string[];
  /** The old CA is: nothing goes back to it (safety 43). */
  readonly compromised?: boolean;
}

const pastAbort: readonly RotationStatus['phase'][] = ['watch', 'finish', 'done', 'abort'] satisfies (
  CaPhase | 'done'
)[];
const keepBothInstead = 'cert-rotation abort --keep-both ends it with both CAs trusted';

/** Why an abort is refused; undefined when it is not. @param now milliseconds since the epoch */
export function objectionToAbort(
  { phase, plan, old, touched, compromised = false }: AbortState,
  { keepBoth = false }: Pick<Intervention, 'keepBoth'>,
  now: number,
): string | undefined {
  if (phase === 'remove' && compromised) return 'the old CA is compromised: nothing puts it back';
  if (phase === 'remove') return 'too late, the removal has begun: cert-rotation undo-removal puts the old CA back';
  if (pastAbort.includes(phase)) return `too late: the rotation is in phase ${phase}`;
  if (compromised && !keepBoth)
    return `the old CA is compromised, and nothing goes back to it; ${keepBothInstead}, the compromised one, too`;
  if (keepBoth || touched.length === 0 || !plan) return undefined;
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
export function abortLines({ plan, ca, old, touched }: AbortState, keepBoth: boolean): readonly string[] {
  if (!plan || !ca) return ['Nothing was changed yet; nothing is to be undone.'];
  if (keepBoth) return ['Nothing is undone: both CAs stay trusted, and leaves come from the one that signs now.'];
  const namespaces = plan.namespaces.join(', ');
  return [
    ...(touched.length > 0 && old
      ? [
          `Leaves come from the old CA ${short(old.fingerprint)} again.`,
          `Moved back onto it, by ordinary leaf rotations: ${touched.join(', ')}.`,
        ]
      : []),
    `The new CA ${short(ca.fingerprint)} leaves ${namespaces}${touched.length > 0 ? ', only after that' : ''}; its key is destroyed.`,
    'Filters that were widened stay as wide.',
  ];
}
