import { newAuthority, withFirst, type AuthorityRecord } from '../domain/authority.js';
import { entries } from '../domain/ids.js';
import type { KeyPair } from '../x509/pair.js';
import type { Keystore } from './keystore.js';

/** What the entry of a CA says of where its key came from: copies of an imported one exist outside of the keystore. */
export interface Provenance {
  /** RFC 3339. */
  readonly importedAt: string;
}

/**
 * Puts the first CA of an authority into the keystore, as current and signing. Twice is once. Throws `AuthorityExists`
 * when the authority has another one, and what keystores throw.
 */
export async function keepFirstCa(
  keystore: Keystore,
  { authority, ca, provenance }: { authority: string; ca: KeyPair; provenance?: Provenance },
): Promise<void> {
  const owner = `authority/${authority}`;
  const stored = await keystore.get(entries.authority(authority));
  const before = (stored?.record as AuthorityRecord | undefined) ?? newAuthority;
  const record = withFirst(before, ca.certificate.fingerprint);
  const name = entries.ca(authority, ca.certificate.fingerprint);
  if (!(await keystore.get(name))) await keystore.create(name, { ...ca, record: provenance, owner });
  if (record === before) return;
  if (stored) await keystore.update(stored.name, { record, owner }, stored.version);
  else await keystore.create(entries.authority(authority), { record, owner });
}
