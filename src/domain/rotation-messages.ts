import type { Decision } from './approval.js';
import { short, type CertificateFacts } from './certificate.js';
import { clientText, type UnknownClient } from './clients.js';
import type { Message } from './notification.js';
import type { CaRotationResult, LeafRotationResult, RemovalQuestion } from './rotation.js';

/** What people read of a rotation. */

export interface Question extends RemovalQuestion {
  readonly authority: string;
  readonly namespaces: readonly string[];
  readonly old: CertificateFacts;
  readonly ca: CertificateFacts;
  /** Pollers that belong to no known target. */
  readonly unknownPollers: readonly string[];
  /** Clients that do not poll and belong to nobody known. */
  readonly unknownClients: readonly UnknownClient[];
  /** It was asked before. */
  readonly reminder: boolean;
}

/** The question, with the commands that decide it. */
export function approvalWanted(question: Question): Message {
  const { authority, namespaces, old, ca, unknownPollers, unknownClients } = question;
  const { evidence, facts, unseen, until, reminder } = question;
  return {
    event: 'approvalWanted',
    title: `${reminder ? 'Reminder: ' : ''}CA of ${authority}: may the old CA ${short(old.fingerprint)} be removed?`,
    lines: [
      `To be removed: CA ${short(old.fingerprint)} (${old.subject}) from ${namespaces.join(', ')}.`,
      `Every known target is on a leaf of CA ${short(ca.fingerprint)} (${ca.subject}).`,
      ...unknownPollers.map((poller) => `Belongs to no known target, and may be locked out: ${poller}.`),
      ...unknownClients.map((client) => `Belongs to nobody known, and may be locked out: ${clientText(client)}.`),
      ...unseen,
      `Evidence ${evidence}, which an approval is bound to:`,
      ...facts.map((line) => `- ${line}`),
      `Both CAs are trusted until somebody decides; undecided by ${until}, both stay.`,
    ],
    commands: [
      `cert-rotation status ${authority}`,
      `cert-rotation approve ${authority} --who <you> --why <reason> --evidence ${evidence.slice(0, 12)}`,
      `cert-rotation reject ${authority} --who <you> --why <reason>`,
    ],
  };
}

/** What the question rests on is so no more: nobody can approve it, and it is asked anew on what is so then. */
export function questionWithdrawn(authority: string, changes: readonly string[]): Message {
  return {
    event: 'approvalWanted',
    severity: 'critical',
    title: `CA of ${authority}: the question whether the old CA may be removed is void`,
    lines: [
      'Somebody else changed what is trusted while people were asked:',
      ...changes.map((line) => `- ${line}`),
      'Where the new CA is not trusted any more, workers are refused: the rotation adds it again. Keep whoever took it out from doing so again.',
      'The rotation looks again by itself, and asks anew.',
    ],
    commands: [`cert-rotation status ${authority}`],
  };
}

/** Somebody took the new CA out of a bundle, and the rotation added it again: they may do so at any time. */
export function trustedAgain(authority: string, lines: readonly string[]): Message {
  return {
    event: 'decisionWanted',
    severity: 'critical',
    title: `CA of ${authority}: somebody else changed what a namespace admits; the new CA is trusted there again`,
    lines: [
      ...lines,
      'Until then workers that moved were refused. Whoever changed it, such as Terraform, has to leave bundle and filters alone, or to know the new CA.',
      'The rotation goes on by itself.',
    ],
    commands: [`cert-rotation status ${authority}`],
  };
}

export interface StuckTarget {
  readonly authority: string;
  /** Or `evidence`, when what is missing is a proof. */
  readonly target: string;
  readonly reason: string;
  readonly canSkip: boolean;
  /** The old CA is: there is no way back to it. */
  readonly compromised?: boolean;
}

/** A failure that waits for a person: nothing else is stopped by it, and both CAs are trusted meanwhile. */
export function targetStuck({ authority, target, reason, canSkip, compromised = false }: StuckTarget): Message {
  const skip = `cert-rotation skip ${authority} ${target} --who <you> --why <reason>`;
  const trusted = compromised ? 'A compromised CA may still be trusted' : 'Both CAs are trusted';
  return {
    event: 'decisionWanted',
    title: `CA of ${authority}: ${target} could not be moved`,
    lines: [reason, `${trusted}. The rotation waits until somebody decides.`],
    commands: [
      `cert-rotation retry ${authority} --who <you>`,
      ...(canSkip ? [skip] : []),
      `cert-rotation abort ${authority} --who <you> --why <reason>${compromised ? ' --keep-both' : ''}`,
    ],
  };
}

export interface GivenWay {
  /** `CA of <authority>` or `Leaf of <target>`. */
  readonly subject: string;
  /** What `cert-rotation status` takes. */
  readonly name: string;
  readonly line: string;
}

/** Told before it happens, where there is time. */
export function windowsGaveWay({ subject, name, line }: GivenWay): Message {
  return {
    event: 'windowsGaveWay',
    title: `${subject}: goes ahead outside of its maintenance windows`,
    lines: [line],
    commands: [`cert-rotation status ${name}`],
  };
}

/** After each step of an emergency: what was done, and what is still exposed. */
export function emergencyStep(authority: string, step: string, exposed: readonly string[]): Message {
  return {
    event: 'emergency',
    title: `Emergency, CA of ${authority}: ${step}`,
    lines: exposed,
    commands: [`cert-rotation status ${authority}`],
  };
}

/** A leaf's key is in other hands: what that opens, and what ends it. */
export function leafLeaked(target: string, authority: string, step: string, exposed: readonly string[]): Message {
  return {
    event: 'emergency',
    title: `Emergency, leaf of ${target}: ${step}`,
    lines: exposed,
    commands: [`cert-rotation status ${target}`, `cert-rotation emergency ca ${authority} --who <you> --why <reason>`],
  };
}

export function caDone(result: CaRotationResult): Message {
  const { authority, outcome, reason, oldFingerprint, newFingerprint, notAfter, leaves, decision } = result;
  const kept = outcome === 'keptBoth';
  if (outcome === 'aborted' || newFingerprint === undefined)
    return { event: 'caDone', title: `CA of ${authority}: aborted`, lines: reason ? [reason] : [], commands: [] };
  const moved = leaves.filter((leaf) => leaf.outcome !== 'notMoved');
  return {
    event: 'caDone',
    title: kept ? `CA of ${authority}: both CAs are kept` : `CA of ${authority}: rotated`,
    lines: [
      ...(reason ? [reason] : []),
      `Leaves come from CA ${short(newFingerprint)}, valid until ${notAfter}.`,
      ...(oldFingerprint && !kept ? [`CA ${short(oldFingerprint)} is removed, its key destroyed.`] : []),
      ...(decision && !kept ? [approvedBy(decision)] : []),
      `Moved: ${moved.map(({ target }) => target).join(', ') || 'no target'}.`,
    ],
    commands: kept ? [`cert-rotation rotate ca ${authority}`] : [],
  };
}

function approvedBy({ who, why, identity, evidence, seconded }: Decision): string {
  const sure = identity === 'policy' ? '' : ` (${identity})`;
  const by = `${who}${sure}${why && `: ${why}`}`;
  const second = seconded ? `; seconded by ${seconded.who}${sure}${seconded.why && `: ${seconded.why}`}` : '';
  return `Approved by ${by}${second}${evidence ? `; evidence ${evidence}` : ''}.`;
}

/** None where nothing was renewed. */
export function leafDone({ target, outcome, newFingerprint = '', notAfter }: LeafRotationResult): Message | undefined {
  if (outcome === 'skipped') return undefined;
  return {
    event: 'leafDone',
    title: `Leaf of ${target}: renewed`,
    lines: [`Every pod uses leaf ${short(newFingerprint)}, valid until ${notAfter}.`],
    commands: [],
  };
}

export interface BadEnd {
  /** `CA of <authority>` or `Leaf of <target>`. */
  readonly subject: string;
  /** What `cert-rotation status` takes. */
  readonly name: string;
  /** What happened and what state things are in. */
  readonly reason: string;
  readonly cancelled: boolean;
  /** What was undone, where something was. */
  readonly undone?: string | undefined;
}

export function endedBadly({ subject, name, reason, cancelled, undone }: BadEnd): Message {
  const ended = cancelled ? 'the rotation was cancelled' : 'the rotation failed';
  return {
    event: undone ? 'restored' : 'failed',
    title: `${subject}: ${ended}${undone ? ' and was undone' : ''}`,
    lines: [reason, ...(undone && !reason.includes(undone) ? [undone] : [])],
    commands: [`cert-rotation status ${name}`],
  };
}
