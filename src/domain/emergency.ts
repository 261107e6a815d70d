import type { Decision } from './approval.js';
import { short, type CertificateFacts, type Fingerprint } from './certificate.js';
import type { Evidence } from './evidence.js';
import type { CaPlan, RotationStatus } from './rotation.js';

/**
 * What a person declares when a CA's key is in other hands (or, of a rescue, when everything has expired): the rotation no longer
 * waits for anything but proofs, and their word counts as the approval. Who they are is claimed.
 */
export interface Emergency {
  readonly who: string;
  readonly why: string;
  /** Whose key leaked: of the CA in use, of the one that a rotation has made to follow it, of both; a rescue: of none. */
  readonly leaked: Leaked;
  /** Pollers of no known target hold nothing up: they may be whoever has the key. */
  readonly lockOutUnknown?: boolean;
}

export const leakedKinds = ['current', 'next', 'both', 'none'] as const;
export type Leaked = (typeof leakedKinds)[number];

/** Reads what a person sent. Returns the problem as text where it is no emergency. */
export function parseEmergency(payload: unknown): Emergency | string {
  if (typeof payload !== 'object' || payload === null) return 'send {"who": "...", "why": "...", "leaked": "current"}';
  const { who, why, leaked = 'current', lockOutUnknown } = payload as Record<string, unknown>;
  if (typeof who !== 'string' || who.trim() === '') return '"who" must name the person who declares it';
  if (typeof why !== 'string' || why.trim() === '') return '"why" must give the reason, for the record';
  if (!leakedKinds.includes(leaked as Leaked)) return `"leaked" must be one of ${leakedKinds.join(', ')}`;
  return {
    who: who.trim(),
    why: why.trim(),
    leaked: leaked as Leaked,
    ...(lockOutUnknown === true && { lockOutUnknown }),
  };
}

/** Said twice, by update and with the start for instance. */
export function isSameEmergency(one: Emergency, other: Emergency): boolean {
  const text = ({ who, why, leaked, lockOutUnknown = false }: Emergency) =>
    [who, why, leaked, lockOutUnknown].join('\n');
  return text(one) === text(other);
}

const ending: readonly RotationStatus['phase'][] = ['finish', 'done'];

/** Which CA is meant changes with the last step: whoever declares then says it again. Undefined: it is taken. */
export function objectionToEmergency(phase: RotationStatus['phase']): string | undefined {
  if (!ending.includes(phase)) return undefined;
  return 'the rotation is ending, and the next CA becomes the current one: look which CA leaked, and declare it again in a minute';
}

/** One long poll: whoever still polls with a leaf of the old CA shows within it. Open connections are not waited out. */
export const quietMs = 70_000;

/** The same plan, waiting for proofs only: no soak, no window, no reminder less than what tells known from unknown pollers. */
export function urgent<Plan extends Pick<CaPlan, 'trustSoakMs' | 'soakMs'>>(plan: Plan): Plan {
  return { ...plan, trustSoakMs: 0, soakMs: Math.min(plan.soakMs, quietMs) };
}

/** The person's word as the approval; undefined where a person must look first, at pollers that belong to nobody known. */
export function decisionOf(
  { who, why, leaked, lockOutUnknown = false }: Emergency,
  { digest, unknownPollers }: Pick<Evidence, 'digest' | 'unknownPollers'>,
): Decision | undefined {
  if (unknownPollers.length > 0 && !lockOutUnknown) return undefined;
  const called = leaked === 'none' ? 'rescue' : 'emergency';
  return {
    decision: 'approve',
    who,
    why: `${called}: ${why}`,
    identity: 'claimed',
    evidence: digest,
    ...(lockOutUnknown && { lockOutUnknown }),
  };
}

/** What whoever has the key of a compromised CA can still do. */
export interface Exposure {
  readonly ca: Fingerprint;
  /** Namespaces that still trust it. */
  readonly namespaces: readonly string[];
  /** Targets on a leaf of it: they are in the way of its removal. */
  readonly targets: readonly string[];
}

/** One line per CA, for people. */
export function exposureLines(exposures: readonly Exposure[]): readonly string[] {
  return exposures.map(({ ca, namespaces, targets }) => {
    const name = `Compromised CA ${short(ca)}`;
    if (namespaces.length === 0) return `${name} is trusted by no namespace any more.`;
    const many = `${namespaces.length} namespace${namespaces.length === 1 ? '' : 's'}`;
    const users =
      targets.length > 0 ? `; still on a leaf of it: ${targets.join(', ')}` : '; no known target uses it any more';
    return `${name} is still trusted by ${many} (${namespaces.join(', ')}): whoever has its key gets in until it is removed${users}.`;
  });
}

export function isExposed(exposures: readonly Exposure[]): boolean {
  return exposures.some(({ namespaces }) => namespaces.length > 0);
}

/** The key of a leaf is in other hands, as somebody says. */
export interface LeafLeak {
  readonly who: string;
  readonly why: string;
}

/** Reads what a person sent. Returns the problem as text where it is none. */
export function parseLeafLeak(payload: unknown): LeafLeak | string {
  const { who, why } = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>;
  if (typeof who !== 'string' || who.trim() === '') return '"who" must name the person who says so';
  if (typeof why !== 'string' || why.trim() === '') return '"why" must give the reason, for the record';
  return { who: who.trim(), why: why.trim() };
}

/** A leaf cannot be revoked: what ends its use, for people. */
export function leakedLeafLines(
  { fingerprint, notAfter }: Pick<CertificateFacts, 'fingerprint' | 'notAfter'>,
  { authority, namespaces }: { readonly authority: string; readonly namespaces: readonly string[] },
): readonly string[] {
  return [
    `Compromised leaf ${short(fingerprint)} still gets whoever has its key into ${namespaces.join(', ')}: a leaf cannot be revoked.`,
    `That ends when its CA is removed (cert-rotation emergency ca ${authority}), when filters of the namespace no longer match it, or when it expires at ${notAfter}.`,
  ];
}
