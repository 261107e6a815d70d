import type { Cloud } from '../cloud/cloud.js';
import { restoreRemoved } from '../cloud/restore-trust.js';
import type { AuditFacts } from '../domain/audit.js';
import { objectionToPutBack, unmarkRetiring, type AuthorityRecord } from '../domain/authority.js';
import { short, type Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import type { CertificateFilter } from '../domain/filters.js';
import { entries } from '../domain/ids.js';
import type { SavedTrust } from '../domain/saved-trust.js';
import type { Keystore, StoredEntry } from '../keystore/keystore.js';
import { readCertificates } from '../x509/read.js';
import { BadInput } from './exit.js';
import { eachRestored, type Restored } from './restoring.js';

export interface Undoing {
  readonly keystore: Keystore;
  readonly cloud: Cloud;
  /** The filters that the configuration wants, and a removal sets; undefined: none. */
  readonly wanted: (namespace: string) => readonly CertificateFilter[] | undefined;
  readonly record: (facts: AuditFacts) => void;
  readonly onProgress: (line: string) => void;
}

/**
 * Has every namespace trust again what the removal under way took from it, as it was kept before that (keystore entries
 * `trust.*`), and lets the old CA be used again: a removal that is still to come is refused by that, one that is watched meets it.
 * What others changed since stays as they want it. Throws BadInput where no removal is under way, or the old CA is compromised;
 * RotationError of keystore and cloud, once it was tried with every namespace. Whatever fails: done again it goes on.
 */
export async function undoByKey(undoing: Undoing, authority: string): Promise<readonly Restored[]> {
  const { keystore, cloud, wanted, onProgress } = undoing;
  const { record } = await authorityEntry(keystore, authority);
  const old = toPutBack(record);
  const kept = (await keptTrust(keystore, authority)).filter(({ removal }) => removal?.old === old);
  const removed = kept.flatMap(({ namespaces, removal }) =>
    namespaces.map(({ namespace, bundle, filters }) => ({
      namespace,
      bundle: readCertificates(bundle),
      filters,
      removing: removal!.removing,
      leaked: record.compromised ?? [],
    })),
  );
  const generation = `undo-removal/${new Date().toISOString()}`;
  const restore = () =>
    eachRestored(removed, (one) =>
      restoreRemoved(
        cloud,
        one,
        { wanted: wanted(one.namespace), now: new Date() },
        { generation, onProgress, byKeyAlone: true },
      ),
    );
  const first = await restore();
  await useAgain(undoing, authority, old);
  // What was written between the two; from here on the removal itself refuses to go on.
  const again = await restore();
  onProgress(`CA ${short(old)} of ${authority} may be used again`);
  return first.map((one, index) => (again[index]!.changed ? again[index]! : one));
}

function toPutBack(record: AuthorityRecord): Fingerprint {
  const objection = objectionToPutBack(record);
  if (objection || record.retiring === undefined) throw new BadInput(`not done: ${objection}`);
  return record.retiring;
}

export type AuthorityEntry = StoredEntry & { readonly record: AuthorityRecord };

/** Throws BadInput where there is none. */
export async function authorityEntry(keystore: Keystore, authority: string): Promise<AuthorityEntry> {
  const entry = await keystore.get(entries.authority(authority));
  if (!entry) throw new BadInput(`not done: the keystore has no authority "${authority}"`);
  return entry as AuthorityEntry;
}

async function keptTrust(keystore: Keystore, authority: string): Promise<readonly SavedTrust[]> {
  const owner = `authority/${authority}`;
  const kept = (await keystore.list(entries.trust(authority, ''))).filter((entry) => entry.owner === owner);
  const found = await Promise.all(kept.map(({ name }) => keystore.get(name)));
  return found.flatMap((entry) => (entry ? [entry.record as SavedTrust] : []));
}

/** By compare-and-set: whoever was quicker is read and decided again. Nothing where the rotation has done it itself meanwhile. */
async function useAgain({ keystore, record }: Undoing, authority: string, old: Fingerprint): Promise<void> {
  for (;;) {
    const { name, version, ...entry } = await authorityEntry(keystore, authority);
    if (entry.record.retiring !== old) return;
    toPutBack(entry.record);
    const after = unmarkRetiring(entry.record);
    const facts = {
      event: 'authorityChanged',
      subject: `authority/${authority}`,
      before: entry.record,
      after,
    } as const;
    record({ ...facts, stage: 'begins' });
    try {
      await keystore.update(name, { ...entry, record: after }, version);
      return record({ ...facts, stage: 'done' });
    } catch (error) {
      if (!(error instanceof RotationError && error.type === 'KeystoreConflict')) throw error;
    }
  }
}
