import type { Fingerprint } from './certificate.js';
import { short } from './certificate.js';
import { RotationError } from './failures.js';

/**
 * Which CA of an authority is which. Changed only by compare-and-set, only by the transitions below:
 *
 *     standing   current = signing                       withNext
 *     overlap    current = signing, next                 signWith(next): canaries are adopted
 *     moved      current, next = signing                 markRetiring(current): approved
 *     removing   current = retiring, next = signing      finishRotation: removed and watched
 *     standing   current = signing  (the former next)
 *
 * An abort goes back: signBack, markRetiring(next) once nobody is on it, then withoutNext. A CA whose key leaked is marked by
 * withCompromised, for good: one that was `next` is so no longer, and nothing goes back to it (safety 43).
 */
export interface AuthorityRecord {
  /** Counts the CAs that were ever made for this authority; part of their subjects. */
  readonly generation: number;
  readonly current?: Fingerprint;
  readonly next?: Fingerprint;
  /** The one CA that signs leaves, whoever asks (safety 12). */
  readonly signing?: Fingerprint;
  /** Being removed: no leaf of it is issued, delivered or restored any more. */
  readonly retiring?: Fingerprint;
  /** Run that owns `next`. */
  readonly rotation?: string;
  /** CAs whose keys are in other hands: whatever of them is trusted is to be removed. */
  readonly compromised?: readonly Fingerprint[];
}

export const newAuthority: AuthorityRecord = { generation: 0 };

/** The first CA: made or imported, trusted already. */
export function withFirst(record: AuthorityRecord, ca: Fingerprint): AuthorityRecord {
  if (record.current === ca) return record;
  const other = record.current ?? record.next;
  if (other) throw new RotationError('AuthorityExists', `The authority has the CA ${short(other)} already.`);
  return { generation: record.generation + 1, current: ca, signing: ca };
}

/** `ca` becomes `next`, owned by `rotation`; a later rotation takes over the `next` of one that did not finish. */
export function withNext(record: AuthorityRecord, ca: Fingerprint, rotation: string): AuthorityRecord {
  if (isCompromised(record, ca))
    throw new RotationError('CaCompromised', `CA ${short(ca)} is compromised; it does not become the next one.`);
  if (record.next === ca) return takenOver(record, rotation);
  refuseOver(record, ca);
  if (record.next && record.signing === record.next) {
    throw new RotationError(
      'ForeignNextAuthority',
      `CA ${short(record.next)} signs leaves already; it cannot be replaced as next.`,
    );
  }
  return { ...record, generation: record.generation + 1, next: ca, rotation };
}

/** A run that was reset, or woke up late, meets the end of its own rotation. */
function refuseOver(record: AuthorityRecord, ca: Fingerprint): void {
  if (record.current === ca)
    throw new RotationError('RotationOver', `CA ${short(ca)} is the current one: the rotation that made it has ended.`);
}

/** An abort that came to no end may have left `next` retiring: whoever goes on uses it again. */
function takenOver(record: AuthorityRecord, rotation: string): AuthorityRecord {
  const usable = record.retiring === record.next ? unmarkRetiring(record) : record;
  return usable.rotation === rotation ? usable : { ...usable, rotation };
}

/** `next` is of no use any more and nobody knows it: it is forgotten, its number stays taken. */
export function withoutNext(record: AuthorityRecord): AuthorityRecord {
  const { next, rotation: _owner, retiring, ...rest } = record;
  if (next === undefined) return record;
  if (record.signing === next) {
    throw new RotationError('ForeignNextAuthority', `CA ${short(next)} signs leaves already; it cannot be forgotten.`);
  }
  return { ...rest, ...(retiring !== undefined && retiring !== next && { retiring }) };
}

/** `next` has expired, and with it every leaf of it: it is forgotten, whoever knows it. Where it signed, the current CA does again. */
export function withoutExpiredNext(record: AuthorityRecord): AuthorityRecord {
  if (record.next === undefined || record.signing !== record.next) return withoutNext(record);
  const { next: _expired, signing: _too, rotation: _owner, retiring: _either, ...rest } = record;
  const { current } = record;
  return current !== undefined && !isCompromised(record, current) ? { ...rest, signing: current } : rest;
}

export function signWith(record: AuthorityRecord, ca: Fingerprint): AuthorityRecord {
  if (record.next === ca && record.signing === ca) return record;
  refuseOver(record, ca);
  if (record.next !== ca)
    throw new RotationError('ForeignNextAuthority', `CA ${short(ca)} is not the next one; the pointer stays.`);
  return { ...record, signing: ca };
}

/** An abort: the current CA signs again. */
export function signBack(record: AuthorityRecord, next: Fingerprint): AuthorityRecord {
  const { current } = record;
  if (current !== undefined && isCompromised(record, current))
    throw new RotationError('CaCompromised', `CA ${short(current)} is compromised; it does not sign again.`);
  if (current === undefined || (record.next !== undefined && record.next !== next)) {
    throw new RotationError('ForeignNextAuthority', `CA ${short(next)} is not the next one; the pointer stays.`);
  }
  return record.signing === current ? record : { ...record, signing: current };
}

/** Of the two, only the one that does not sign can retire: the old one, or the new one of a rotation that is aborted. */
export function markRetiring(record: AuthorityRecord, ca: Fingerprint): AuthorityRecord {
  if (record.retiring === ca) return record;
  if (record.next === undefined)
    throw new RotationError(
      'RotationOver',
      `No CA is next to CA ${short(record.current ?? '')}: the rotation has ended.`,
    );
  const isOneOfBoth = record.current === ca || record.next === ca || isCompromised(record, ca);
  if (!isOneOfBoth || record.signing === ca) {
    throw new RotationError('ForeignNextAuthority', `CA ${short(ca)} cannot retire: it is not the former signing CA.`);
  }
  return { ...record, retiring: ca };
}

/** The removal did not happen, or was undone: the old CA may be used again. */
export function unmarkRetiring(record: AuthorityRecord): AuthorityRecord {
  if (!record.retiring) return record;
  const { retiring: _undone, ...rest } = record;
  return rest;
}

/** Why nothing of the authority is to be put back by hand; undefined while its old CA is being removed, or was and is watched. */
export function objectionToPutBack(record: AuthorityRecord): string | undefined {
  const { retiring, next } = record;
  if (retiring === undefined) return 'no CA is being removed, nor is a removal watched';
  if (retiring === next) return `an abort takes CA ${short(retiring)} out, which nobody uses any more`;
  if (isCompromised(record, retiring)) return `CA ${short(retiring)} is compromised: it stays out`;
  return undefined;
}

/**
 * `ca` is the CA of this authority from now on; what was current is no longer known.
 * @param old that was removed; where it is not marked as retiring any more, somebody has undone that
 */
export function finishRotation(record: AuthorityRecord, ca: Fingerprint, old?: Fingerprint): AuthorityRecord {
  if (record.current === ca && !record.next) return record;
  if (old !== undefined && record.retiring !== old)
    throw new RotationError('RemovalUndone', `CA ${short(old)} is not marked as retiring: its removal was undone.`);
  if (record.next !== ca || record.signing !== ca) {
    throw new RotationError(
      'ForeignNextAuthority',
      `CA ${short(ca)} is not the signing next one; nothing was finished.`,
    );
  }
  const { generation, compromised } = record;
  return { generation, current: ca, signing: ca, ...(compromised && { compromised }) };
}

/** Their keys are in other hands. A `next` among them is so no longer; the current CA signs then, unless it is one, too. */
export function withCompromised(record: AuthorityRecord, cas: readonly Fingerprint[]): AuthorityRecord {
  const news = cas.filter((ca) => !isCompromised(record, ca));
  if (news.length === 0) return record;
  const marked = { ...record, compromised: [...(record.compromised ?? []), ...news] };
  const { next, current } = record;
  if (next === undefined || !news.includes(next)) return marked;
  const { next: _leaked, rotation: _owner, retiring: _either, signing, ...rest } = marked;
  const back = current !== undefined && !isCompromised(marked, current) ? current : signing;
  return { ...rest, ...(back !== undefined && { signing: back }) };
}

export function isCompromised({ compromised = [] }: AuthorityRecord, ca: Fingerprint): boolean {
  return compromised.includes(ca);
}

/**
 * May this CA issue, or may a leaf of it be delivered, now? A compromised one only for as long as no other signs: a leaf that
 * expires meanwhile must be renewed, and the CA is trusted anyway.
 */
export function mayIssueFrom(record: AuthorityRecord, ca: Fingerprint): boolean {
  if (record.retiring === ca || (isCompromised(record, ca) && record.signing !== ca)) return false;
  return record.current === ca || record.next === ca || record.signing === ca;
}

/** Of the entries that hold CAs of the authority, those that no role of the record names. */
export function abandonedCas(
  record: AuthorityRecord,
  entries: readonly string[],
  entryOf: (ca: Fingerprint) => string,
): readonly string[] {
  const known = [record.current, record.next, record.signing].flatMap((ca) => (ca ? [entryOf(ca)] : []));
  return entries.filter((entry) => !known.includes(entry));
}
