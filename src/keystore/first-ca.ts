import { newAuthority, withFirst, type AuthorityRecord } from '../domain/authority.js';
import { entries } from '../domain/ids.js';
import type { KeyPair } from '../x509/pair.js';
import type { Keystore } from './keystore.js';

/** What the entry of a CA says of where its key came from: copies of an imported one exist outside of the keystore. */
export interface Provenance {
  /** RFC 3339. */
  readonly importedAt: string;
}

export interface FirstCa {
  readonly authority: string;
  readonly ca: KeyPair;
  readonly provenance?: Provenance;
  /** Called once nothing speaks against it, before the first write; not where it was kept before. */
  readonly begins?: () => void;
}

/**
 * Puts the first CA of an authority into the keystore, as current and signing. Twice is once: false says that it was kept
 * before. Throws `AuthorityExists` when the authority has another one, and what keystores throw.
 */
export async function keepFirstCa(
  keystore: Keystore,
  { authority, ca, provenance, begins }: FirstCa,
): Promise<boolean> {
  const owner = `authority/${authority}`;
  const stored = await keystore.get(entries.authority(authority));
  const before = (stored?.record as AuthorityRecord | undefined) ?? newAuthority;
  const record = withFirst(before, ca.certificate.fingerprint);
  const name = entries.ca(authority, ca.certificate.fingerprint);
  const kept = await keystore.get(name);
  if (kept && record === before) return false;
  begins?.();
  if (!kept) await keystore.create(name, { ...ca, record: provenance, owner });
  if (record === before) return true;
  if (stored) await keystore.update(stored.name, { record, owner }, stored.version);
  else await keystore.create(entries.authority(authority), { record, owner });
  return true;
}
