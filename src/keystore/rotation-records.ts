import type { RotationRecord } from '../domain/audit.js';
import { entries } from '../domain/ids.js';
import type { Keystore } from './keystore.js';

/** How the rotations of an authority ended, in the order in which that was written: a chain (audit-journal.ts). */
export async function rotationRecords(keystore: Keystore, authority: string): Promise<readonly RotationRecord[]> {
  const kept = await keystore.list(entries.rotation(authority, ''));
  // By owner, because names have dots: the records of `a.b` begin as those of `a` do.
  const ours = kept.filter(({ owner }) => owner === `authority/${authority}`);
  const found = await Promise.all(ours.map(({ name }) => keystore.get(name)));
  const records = found.flatMap((entry) => (entry ? [entry.record as RotationRecord] : []));
  return records.toSorted((a, b) => writtenAt(a).localeCompare(writtenAt(b)));
}

const writtenAt = ({ recordedAt, endedAt }: RotationRecord): string => recordedAt ?? endedAt;
