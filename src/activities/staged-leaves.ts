import { ownNamespaces } from '../config/own-namespaces.js';
import { mayIssueFrom } from '../domain/authority.js';
import type { CertificateFacts, Fingerprint, LeafReference } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { entries, leafRotationId } from '../domain/ids.js';
import type { EntrySummary, StoredEntry } from '../keystore/keystore.js';
import { proveAccepted } from '../probes/streak.js';
import { warningsOf } from '../x509/check.js';
import type { KeyPair } from '../x509/pair.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { progress } from './failures.js';
import { targetConfig } from './plan.js';

/** Keystore entries of a rotation that nobody finishes are swept after this. */
const abandonedAfterMs = 7 * 86_400_000;

export interface StagedLeaf extends KeyPair {
  readonly issuedBy: Fingerprint;
}

/** Leaves on their way to a target: born into the keystore, taken from it by reference, proved to be admitted. */
export class StagedLeaves {
  readonly #deps: Dependencies;
  readonly #authorities: Authorities;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.#authorities = new Authorities(deps);
  }

  /** The key is born and stored here; a retry finds what it made. Without `ca` the signing CA signs (safety 12). */
  async issue({ target, entry, ca }: { target: string; entry: string; ca?: Fingerprint }): Promise<LeafReference> {
    const found = await this.#deps.keystore.get(entry);
    if (found?.certificate) return referenceTo(found.certificate, issuerOf(found.record), entry);
    const config = targetConfig(this.#deps, target);
    const signer = await this.#signer(config.authority, ca);
    const made = await this.#deps
      .issuer(config.authority)
      .issueLeaf(await this.#authorities.pair(config.authority, signer), {
        subject: config.subject,
        dnsNames: config.dnsNames,
        uris: config.uris,
        algorithm: config.algorithm,
        lifetimeMs: config.lifetime,
        now: this.#deps.now(),
      });
    await this.keep(target, entry, { ...made, issuedBy: signer });
    return referenceTo(made.certificate, signer, entry);
  }

  async #signer(authority: string, ca: Fingerprint | undefined): Promise<Fingerprint> {
    const record = await this.#authorities.record(authority);
    const signer = ca ?? record.signing;
    if (!signer) throw noCaYet(authority);
    if (!mayIssueFrom(record, signer)) throw new RotationError('AuthorityRetiring', `CA ${signer} is being removed.`);
    return signer;
  }

  /** Keeps a pair of the target until `discard`, or until the sweep when nobody does. */
  async keep(
    target: string,
    entry: string,
    { certificate, key, chain, issuedBy }: KeyPair & Partial<StagedLeaf>,
  ): Promise<void> {
    await this.#deps.keystore.create(entry, {
      certificate,
      key,
      chain,
      ...(issuedBy && { record: { issuedBy } }),
      owner: leafRotationId(target),
      expiresAt: new Date(this.#deps.now().getTime() + abandonedAfterMs).toISOString(),
    });
  }

  /** Everything that this run of `leaf/<target>` keeps, or one before it did that died. By owner, because names have dots. */
  async kept(target: string): Promise<readonly EntrySummary[]> {
    return (await this.#deps.keystore.list('')).filter(({ owner }) => owner === leafRotationId(target));
  }

  /** The pair to put back: what this run kept, else the last that one kept that died before it had proved its own. */
  async previous(target: string, rotation: string): Promise<StoredEntry | undefined> {
    const own = await this.#deps.keystore.get(entries.previous(target, rotation));
    if (own) return own;
    const dead = (await this.kept(target)).filter(({ name }) => name.startsWith(entries.previous(target, '')));
    const last = dead.toSorted((a, b) => (a.expiresAt ?? '').localeCompare(b.expiresAt ?? '')).at(-1);
    return last && this.#deps.keystore.get(last.name);
  }

  async take(entry: string): Promise<StagedLeaf> {
    const found = await this.#deps.keystore.get(entry);
    if (!found?.certificate || !found.key)
      throw new RotationError('KeystoreUnreadable', `The keystore entry ${entry} is gone.`);
    const { certificate, key, chain, record } = found;
    return { certificate, key, chain, issuedBy: issuerOf(record) };
  }

  /** Real calls with that very leaf, several times in a row, on every endpoint of every namespace that it is for. */
  async prove(target: string, leaf: KeyPair): Promise<void> {
    const { successes, over, deadline } = this.#deps.config.timing.proof;
    const namespaces = ownNamespaces(this.#deps.config, targetConfig(this.#deps, target));
    const endpoints = namespaces.flatMap((namespace) => this.#deps.endpoints(namespace));
    const proof = { successes, overMs: over, deadlineMs: deadline };
    await proveAccepted(this.#deps.probe, leaf, endpoints, proof, progress());
  }
}

function referenceTo(certificate: CertificateFacts, issuedBy: Fingerprint, entry: string): LeafReference {
  const warnings = warningsOf(certificate);
  return { certificate, issuedBy, entry, ...(warnings.length > 0 && { warnings }) };
}

export function noCaYet(authority: string): RotationError {
  return new RotationError('AuthorityKeyMissing', `The authority ${authority} has no CA yet: rotate it first.`);
}

const issuerOf = (record: unknown): Fingerprint => (record as { issuedBy?: Fingerprint } | undefined)?.issuedBy ?? '';
