import type { AuthorityConfig } from '../config/schema.js';
import type { RotationRecord } from '../domain/audit.js';
import { abandonedCas, isCompromised, newAuthority, type AuthorityRecord } from '../domain/authority.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import { rotationRecords } from '../keystore/rotation-records.js';
import type { KeyPair } from '../x509/pair.js';
import type { Dependencies } from './dependencies.js';
import { foundOnRecord, onRecord } from './on-record.js';

/** Owner of keystore entries that live as long as their authority. */
export const ownerOf = (authority: string): string => `authority/${authority}`;

/** The CAs of an authority as the keystore has them: the record and the pairs beside it. */
export class Authorities {
  readonly #deps: Dependencies;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  config(authority: string): AuthorityConfig {
    const config = this.#deps.config.authorities[authority];
    if (!config) throw new RotationError('UnknownAuthority', `The configuration has no authority "${authority}".`);
    return config;
  }

  async record(authority: string): Promise<AuthorityRecord> {
    return (await this.#read(authority)).record;
  }

  /** Reads, changes and writes the record, by compare-and-set. */
  async change(authority: string, change: (record: AuthorityRecord) => AuthorityRecord): Promise<AuthorityRecord> {
    const { record, version } = await this.#read(authority);
    const changed = change(record);
    const facts = { event: 'authorityChanged', subject: ownerOf(authority), after: changed } as const;
    if (changed === record) foundOnRecord(this.#deps, facts);
    else await onRecord(this.#deps, { ...facts, before: record }, () => this.#write(authority, changed, version));
    return changed;
  }

  /** Entries of CAs that no role of the record names. By owner, because names have dots: the CAs of `a.b` begin as those of `a` do. */
  async unnamedCas(authority: string, record: AuthorityRecord): Promise<readonly string[]> {
    const kept = await this.#deps.keystore.list(`ca.${authority}.`);
    const ours = kept.filter(({ owner }) => owner === ownerOf(authority)).map(({ name }) => name);
    return abandonedCas(record, ours, (ca) => entries.ca(authority, ca));
  }

  /** A CA that an attempt of this run stored, and died before the record could name it. */
  async madeEarlier(authority: string, rotation: string): Promise<CertificateFacts | undefined> {
    const record = await this.record(authority);
    for (const name of await this.unnamedCas(authority, record)) {
      const entry = await this.#deps.keystore.get(name);
      const { certificate, key } = entry ?? {};
      const ours = (entry?.record as { rotation?: string } | undefined)?.rotation === rotation;
      if (ours && certificate && key && !isCompromised(record, certificate.fingerprint)) return certificate;
    }
    return undefined;
  }

  /**
   * Destroys the key of a CA, and then what is beside it: an attempt that is killed in between leaves an entry without a key,
   * by which the next one finds the key destroyed.
   */
  async destroy(authority: string, name: string): Promise<void> {
    const facts = { event: 'keyDestroyed', subject: ownerOf(authority), before: { entry: name } } as const;
    const destroyKey = await this.#destructionOfKey(name);
    if (destroyKey) await onRecord(this.#deps, facts, destroyKey);
    else foundOnRecord(this.#deps, facts);
    await this.#deps.keystore.delete(name);
  }

  /** Undefined where there is no key. An entry that cannot be read goes as a whole. */
  async #destructionOfKey(name: string): Promise<(() => Promise<unknown>) | undefined> {
    const { keystore } = this.#deps;
    try {
      const found = await keystore.get(name);
      if (!found?.key) return undefined;
      const { key: _destroyed, name: _name, version, ...rest } = found;
      return () => keystore.update(name, rest, version);
    } catch (error) {
      if (!(error instanceof RotationError && error.type === 'KeystoreUnreadable')) throw error;
      return () => keystore.delete(name);
    }
  }

  /** How its rotations ended, in the order in which that was written. */
  async records(authority: string): Promise<readonly RotationRecord[]> {
    return rotationRecords(this.#deps.keystore, authority);
  }

  /** Public data beside the authority: kept under `name`, in place of what was there. */
  async keep(authority: string, name: string, record: unknown): Promise<void> {
    const entry = { record, owner: ownerOf(authority) };
    const found = await this.#deps.keystore.get(name);
    if (found) await this.#deps.keystore.update(name, entry, found.version);
    else await this.#deps.keystore.create(name, entry);
  }

  async certificate(authority: string, ca: Fingerprint): Promise<CertificateFacts | undefined> {
    return (await this.#deps.keystore.get(entries.ca(authority, ca)))?.certificate;
  }

  /** The CA's certificate, which the keystore must have. Throws `AuthorityKeyMissing`. */
  async known(authority: string, ca: Fingerprint): Promise<CertificateFacts> {
    const certificate = await this.certificate(authority, ca);
    if (!certificate) throw new RotationError('AuthorityKeyMissing', `The keystore has no CA ${ca} of ${authority}.`);
    return certificate;
  }

  /** The pair to sign with. Throws `AuthorityKeyMissing`. */
  async pair(authority: string, ca: Fingerprint): Promise<KeyPair> {
    const entry = await this.#deps.keystore.get(entries.ca(authority, ca));
    if (!entry?.certificate || !entry.key) {
      throw new RotationError('AuthorityKeyMissing', `The keystore has no key for CA ${ca} of ${authority}.`);
    }
    return { certificate: entry.certificate, key: entry.key, chain: entry.chain };
  }

  /** The CA and everything above it: leaves of the CA are admitted while a namespace trusts any of them (safety 3). */
  async chain(authority: string, ca: Fingerprint): Promise<readonly Fingerprint[]> {
    const above = (await this.#deps.keystore.get(entries.ca(authority, ca)))?.chain ?? [];
    return [ca, ...above.map(({ fingerprint }) => fingerprint)];
  }

  /** What leaves with a CA: every other one whose key is in other hands, and what is above each. */
  async leavingWith(authority: string, old: Fingerprint): Promise<readonly Fingerprint[]> {
    const { compromised = [] } = await this.record(authority);
    return (await Promise.all([old, ...compromised].map((ca) => this.chain(authority, ca)))).flat();
  }

  async holdsKey(authority: string, ca: Fingerprint): Promise<boolean> {
    return (await this.#deps.keystore.get(entries.ca(authority, ca)))?.key !== undefined;
  }

  async #write(authority: string, record: AuthorityRecord, version: string | undefined): Promise<void> {
    const { keystore } = this.#deps;
    const [name, entry] = [entries.authority(authority), { record, owner: ownerOf(authority) }];
    await (version === undefined ? keystore.create(name, entry) : keystore.update(name, entry, version));
  }

  async #read(authority: string): Promise<{ record: AuthorityRecord; version?: string }> {
    const entry = await this.#deps.keystore.get(entries.authority(authority));
    return entry ? { record: entry.record as AuthorityRecord, version: entry.version } : { record: newAuthority };
  }
}
