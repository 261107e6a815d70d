import type { CertificateFacts } from '../domain/certificate.js';
import type { PrivateKey } from '../x509/private-key.js';

/**
 * Port: where private keys rest, and the authorities' records beside them. Entries are small documents named by
 * `entries` in domain/ids.ts. Every write is conditional; a lost race throws `KeystoreConflict` and the caller reads and
 * decides again. Keys are encrypted at rest unless the configuration says `allowPlaintext: true`.
 * Throws RotationError: KeystoreConflict, KeystoreForbidden, KeystoreUnavailable, KeystoreUnreadable.
 */
export interface Keystore {
  /** Undefined when there is no such entry. */
  get(name: string): Promise<StoredEntry | undefined>;
  /** Create only. An entry of that name that exists already throws KeystoreConflict and is left as it is. */
  create(name: string, entry: Entry): Promise<StoredEntry>;
  /** Replace the entry read at `version`. */
  update(name: string, entry: Entry, version: string): Promise<StoredEntry>;
  /** Remove the entry and its wrapped key. No error when it is not there. */
  delete(name: string): Promise<void>;
  /** Names and owners, without keys. */
  list(prefix: string): Promise<readonly EntrySummary[]>;
}

export interface Entry {
  /** Public data of the owner's choosing (JSON). */
  readonly record?: unknown;
  readonly certificate?: CertificateFacts;
  readonly key?: PrivateKey;
  /** Certificates above it, issuer first. */
  readonly chain?: readonly CertificateFacts[] | undefined;
  /** Workflow id of whoever must remove it, or `authority/<name>` for what lives as long as its authority. */
  readonly owner: string;
  /** RFC 3339. After this a sweep removes it; absent = kept until its owner removes it. */
  readonly expiresAt?: string;
}

export interface StoredEntry extends Entry {
  readonly name: string;
  /** Opaque; compare-and-set token. */
  readonly version: string;
}

export interface EntrySummary {
  readonly name: string;
  readonly owner: string;
  readonly expiresAt?: string;
}
