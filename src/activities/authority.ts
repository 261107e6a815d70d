import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { isValidAt } from '../domain/certificate.js';
import {
  abandonedCas,
  finishRotation,
  markRetiring,
  newAuthority,
  signWith,
  unmarkRetiring,
  withNext,
  type AuthorityRecord,
} from '../domain/authority.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { AuthorityConfig } from '../config/schema.js';
import type { KeyPair } from '../x509/pair.js';
import type { Dependencies } from './dependencies.js';

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
    if (changed === record) return record;
    const entry = { record: changed, owner: `authority/${authority}` };
    const name = entries.authority(authority);
    if (version === undefined) await this.#deps.keystore.create(name, entry);
    else await this.#deps.keystore.update(name, entry, version);
    return changed;
  }

  async certificate(authority: string, ca: Fingerprint): Promise<CertificateFacts | undefined> {
    return (await this.#deps.keystore.get(entries.ca(authority, ca)))?.certificate;
  }

  /** The pair to sign with. Throws `AuthorityKeyMissing`. */
  async pair(authority: string, ca: Fingerprint): Promise<KeyPair> {
    const entry = await this.#deps.keystore.get(entries.ca(authority, ca));
    if (!entry?.certificate || !entry.key) {
      throw new RotationError('AuthorityKeyMissing', `The keystore has no key for CA ${ca} of ${authority}.`);
    }
    return { certificate: entry.certificate, key: entry.key };
  }

  async #read(authority: string): Promise<{ record: AuthorityRecord; version?: string }> {
    const entry = await this.#deps.keystore.get(entries.authority(authority));
    return entry ? { record: entry.record as AuthorityRecord, version: entry.version } : { record: newAuthority };
  }
}

export function authorityActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Finds the `next` of a rotation that did not finish, or makes one: the key is born and stored here (invariant 1). */
  async function issueCa({ authority, rotation }: { authority: string; rotation: string }): Promise<{
    ca: CertificateFacts;
    old?: CertificateFacts;
  }> {
    const config = authorities.config(authority);
    const record = await authorities.record(authority);
    const old = record.current ? await authorities.certificate(authority, record.current) : undefined;
    const found = record.next ? await authorities.certificate(authority, record.next) : undefined;
    if (found && isValidAt(found, deps.now())) {
      await authorities.change(authority, (latest) => withNext(latest, found.fingerprint, rotation));
      return { ca: found, ...(old && { old }) };
    }
    const made = await deps.issuer(authority).createCa({
      subject: config.subject,
      algorithm: config.issuer.algorithm,
      generation: record.generation + 1,
      lifetimeMs: config.lifetime,
      now: deps.now(),
    });
    const ca = made.certificate;
    await deps.keystore.create(entries.ca(authority, ca.fingerprint), { ...made, owner: `authority/${authority}` });
    await authorities.change(authority, (latest) => withNext(latest, ca.fingerprint, rotation));
    return { ca, ...(old && { old }) };
  }

  async function moveSigner({ authority, ca }: { authority: string; ca: Fingerprint }): Promise<void> {
    await authorities.change(authority, (record) => signWith(record, ca));
  }

  async function keepBothCas({ authority }: { authority: string }): Promise<void> {
    await authorities.change(authority, unmarkRetiring);
  }

  /** `next` becomes current; the keys of all other CAs of this authority are destroyed. */
  async function finishCa({ authority, ca }: { authority: string; ca: Fingerprint }): Promise<void> {
    const record = await authorities.change(authority, (latest) => finishRotation(latest, ca));
    const kept = await deps.keystore.list(`ca.${authority}.`);
    const abandoned = abandonedCas(
      record,
      kept.map((entry) => entry.name),
      (fingerprint) => entries.ca(authority, fingerprint),
    );
    for (const name of abandoned) await deps.keystore.delete(name);
  }

  async function markCaRetiring({ authority, old }: { authority: string; old: Fingerprint }): Promise<void> {
    await authorities.change(authority, (record) => markRetiring(record, old));
  }

  return { issueCa, moveSigner, keepBothCas, finishCa, markCaRetiring };
}
