import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { isExpired, isValidAt, short } from '../domain/certificate.js';
import {
  finishRotation,
  isCompromised,
  signWith,
  withNext,
  withoutExpiredNext,
  withoutNext,
} from '../domain/authority.js';
import type { AuditFacts } from '../domain/audit.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { Provenance } from '../keystore/first-ca.js';
import { warningsOf } from '../x509/check.js';
import { signedBy } from '../x509/read.js';
import { Authorities, ownerOf } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { leavesInUse } from './leaves.js';
import { foundOnRecord, onRecord } from './on-record.js';

export interface Finished {
  readonly authority: string;
  /** The CA that stays. */
  readonly ca: Fingerprint;
  /** The one that was removed; absent: there was none. */
  readonly old?: Fingerprint;
}

export function authorityActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Finds the `next` of a rotation that did not finish, or makes one: the key is born and stored here (invariant 1). */
  async function issueCa({ authority, rotation }: { authority: string; rotation: string }): Promise<{
    ca: CertificateFacts;
    old?: CertificateFacts;
    /** Its key is in other hands. */
    compromised?: true;
    /** An earlier rotation made it, and did not come to its end. */
    takenUp?: true;
    /** What the CA leaves out that Temporal documents, in words. */
    warnings?: readonly string[];
  }> {
    const record = await authorities.record(authority);
    // A first rotation whose next CA leaked has no current one: the leaked one is what is to go.
    const leaving = record.current ?? record.compromised?.at(-1);
    const old = leaving === undefined ? undefined : await authorities.certificate(authority, leaving);
    const next = record.next ? await usableNext(authority, record.next) : undefined;
    const earlier = next ? undefined : await authorities.madeEarlier(authority, rotation);
    if (earlier) foundOnRecord(deps, madeFacts(authority, earlier));
    const ca = next ?? earlier ?? (await makeCa(authority, rotation));
    await authorities.change(authority, (latest) => withNext(latest, ca.fingerprint, rotation));
    const warnings = [...warningsOf(ca), ...(record.current ? await copiesOf(authority, record.current) : [])];
    const compromised = leaving !== undefined && isCompromised(record, leaving);
    const takenUp = next !== undefined && !(await isOf(authority, next, rotation));
    return {
      ca,
      ...(old && { old }),
      ...(compromised && { compromised }),
      ...(takenUp && { takenUp }),
      ...(warnings.length > 0 && { warnings }),
    };
  }

  async function isOf(authority: string, { fingerprint }: CertificateFacts, rotation: string): Promise<boolean> {
    const entry = await deps.keystore.get(entries.ca(authority, fingerprint));
    return (entry?.record as { rotation?: string } | undefined)?.rotation === rotation;
  }

  /** The key of an imported CA is not destroyed with its entry in the keystore (safety 3). */
  async function copiesOf(authority: string, ca: Fingerprint): Promise<readonly string[]> {
    const entry = await deps.keystore.get(entries.ca(authority, ca));
    const imported = (entry?.record as Partial<Provenance> | undefined)?.importedAt;
    return imported
      ? [`CA ${short(ca)} was imported: copies of its key exist, and are of no use only once no namespace trusts it`]
      : [];
  }

  /**
   * `next` if it can still be used. Otherwise it is destroyed, unless a bundle or a leaf knows it: then a person is asked. One
   * that has expired lets nobody in: who knows it does not matter (safety 42).
   */
  async function usableNext(authority: string, next: Fingerprint): Promise<CertificateFacts | undefined> {
    const entry = await deps.keystore.get(entries.ca(authority, next));
    if (entry?.certificate && entry.key && isValidAt(entry.certificate, deps.now())) return entry.certificate;
    const isOver = entry?.certificate !== undefined && isExpired(entry.certificate, deps.now());
    const knownBy = isOver ? [] : await whoKnows(authority, next, entry?.certificate);
    if (knownBy.length > 0) {
      throw new RotationError(
        'ForeignNextAuthority',
        `The next CA ${short(next)} of ${authority} cannot be used (its key is gone), but ${knownBy.join(', ')} know it. Nothing was changed.`,
      );
    }
    await authorities.change(authority, isOver ? withoutExpiredNext : withoutNext);
    await authorities.destroy(authority, entries.ca(authority, next));
    return undefined;
  }

  async function whoKnows(authority: string, next: Fingerprint, certificate?: CertificateFacts): Promise<string[]> {
    const trusts = await Promise.all(
      authorities.config(authority).namespaces.map((namespace) => deps.cloud.readNamespace(namespace)),
    );
    const trusting = trusts.filter(({ bundle }) => bundle.some((ca) => ca.fingerprint === next));
    const ca = certificate ?? trusting[0]?.bundle.find(({ fingerprint }) => fingerprint === next);
    const leaves = ca ? (await leavesInUse(deps, authority)).filter((leaf) => signedBy(leaf.certificate, ca)) : [];
    return [
      ...trusting.map(({ namespace }) => `the bundle of ${namespace}`),
      ...leaves.map(({ name }) => `the leaf of ${name}`),
    ];
  }

  async function makeCa(authority: string, rotation: string): Promise<CertificateFacts> {
    const config = authorities.config(authority);
    const { generation } = await authorities.record(authority);
    const { certificate, key } = await deps.issuer(authority).createCa({
      subject: config.subject,
      algorithm: config.issuer.algorithm,
      generation: generation + 1,
      lifetimeMs: config.lifetime,
      now: deps.now(),
    });
    const entry = { certificate, key, record: { rotation }, owner: ownerOf(authority) };
    await onRecord(deps, madeFacts(authority, certificate), () =>
      deps.keystore.create(entries.ca(authority, certificate.fingerprint), entry),
    );
    return certificate;
  }

  async function moveSigner({ authority, ca }: { authority: string; ca: Fingerprint }): Promise<void> {
    await authorities.change(authority, (record) => signWith(record, ca));
  }

  /** `next` becomes current; the keys of all other CAs of this authority are destroyed. */
  async function finishCa({ authority, ca, old }: Finished): Promise<void> {
    const record = await authorities.change(authority, (latest) => finishRotation(latest, ca, old));
    for (const name of await authorities.unnamedCas(authority, record)) await authorities.destroy(authority, name);
  }

  return { issueCa, moveSigner, finishCa };
}

function madeFacts(authority: string, { fingerprint }: CertificateFacts): AuditFacts {
  return { event: 'caMade', subject: ownerOf(authority), after: { ca: fingerprint } };
}
