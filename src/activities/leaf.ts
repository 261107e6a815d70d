import { isValidAt, type CertificateFacts, type Fingerprint, type LeafReference } from '../domain/certificate.js';
import { mayIssueFrom } from '../domain/authority.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import type { LeafPreflight, LeafRotationRequest } from '../domain/rotation.js';
import { proveAccepted } from '../probes/streak.js';
import type { Adoption, Delivery } from '../targets/target.js';
import type { KeyPair } from '../x509/pair.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authority.js';
import type { Dependencies } from './dependencies.js';
import { pause, progress } from './failures.js';
import { authorityConfig, targetConfig } from './plan.js';

/** Keystore entries of a rotation that nobody finishes are swept after this. */
const abandonedAfterMs = 7 * 86_400_000;

export function leafActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  async function preflightLeaf(request: LeafRotationRequest): Promise<LeafPreflight> {
    const config = targetConfig(deps, request.target);
    const facts = await deps.target(request.target).inspect();
    const skip = await reasonToSkip(request, facts.current);
    if (!skip && !request.ca) {
      const record = await authorities.record(config.authority);
      if (!record.signing) {
        throw new RotationError(
          'AuthorityKeyMissing',
          `The authority ${config.authority} has no CA yet: rotate it first.`,
        );
      }
    }
    return { ...facts, ...(skip && { skip }) };
  }

  async function reasonToSkip(request: LeafRotationRequest, current?: CertificateFacts): Promise<string | undefined> {
    if (!current) return undefined;
    const { renew, authority } = targetConfig(deps, request.target);
    if (request.ca) {
      const ca = await authorities.certificate(authority, request.ca);
      const moved = ca && signedBy(current, ca) && isValidAt(current, deps.now());
      if (!moved) return undefined;
      const delivery = await deps.target(request.target).delivered();
      if (delivery?.leaf !== current.fingerprint) return undefined;
      const { adopted } = await deps.target(request.target).adoption(delivery);
      return adopted ? 'It is on a leaf of that CA already' : undefined;
    }
    if (!request.onlyWhenDue || renew === 'always') return undefined;
    const left = Date.parse(current.notAfter) - deps.now().getTime();
    return left > renew.before ? `Not due: valid until ${current.notAfter}` : undefined;
  }

  /** The key is born and stored here; a retry finds what it made. */
  async function issueLeaf({
    target,
    rotation,
    ca,
  }: {
    target: string;
    rotation: string;
    ca?: Fingerprint;
  }): Promise<LeafReference> {
    const config = targetConfig(deps, target);
    const name = entries.leaf(target, rotation);
    const found = await deps.keystore.get(name);
    if (found?.certificate)
      return { certificate: found.certificate, issuedBy: (found.record as { issuedBy: string }).issuedBy, entry: name };
    const record = await authorities.record(config.authority);
    const signer = ca ?? record.signing;
    if (!signer)
      throw new RotationError(
        'AuthorityKeyMissing',
        `The authority ${config.authority} has no CA yet: rotate it first.`,
      );
    if (!mayIssueFrom(record, signer)) throw new RotationError('AuthorityRetiring', `CA ${signer} is being removed.`);
    const made = await deps.issuer(config.authority).issueLeaf(await authorities.pair(config.authority, signer), {
      subject: config.subject,
      dnsNames: config.dnsNames,
      uris: config.uris,
      algorithm: config.algorithm,
      lifetimeMs: config.lifetime,
      now: deps.now(),
    });
    await deps.keystore.create(name, { ...made, record: { issuedBy: signer }, ...ownedBy(target) });
    return { certificate: made.certificate, issuedBy: signer, entry: name };
  }

  function ownedBy(target: string): { owner: string; expiresAt: string } {
    return { owner: `leaf/${target}`, expiresAt: new Date(deps.now().getTime() + abandonedAfterMs).toISOString() };
  }

  async function staged(entry: string): Promise<KeyPair & { issuedBy: Fingerprint }> {
    const found = await deps.keystore.get(entry);
    if (!found?.certificate || !found.key)
      throw new RotationError('KeystoreUnreadable', `The keystore entry ${entry} is gone.`);
    return {
      certificate: found.certificate,
      key: found.key,
      issuedBy: (found.record as { issuedBy: string }).issuedBy,
    };
  }

  async function testConnection({ target, entry }: { target: string; entry: string }): Promise<void> {
    const leaf = await staged(entry);
    await prove(leaf, authorityConfig(deps, targetConfig(deps, target).authority).namespaces);
  }

  async function prove(leaf: KeyPair, namespaces: readonly string[]): Promise<void> {
    const { successes, over, deadline } = deps.config.timing.proof;
    const endpoints = namespaces.flatMap((namespace) => deps.endpoints(namespace));
    await proveAccepted(deps.probe, leaf, endpoints, { successes, overMs: over, deadlineMs: deadline }, progress());
  }

  /** Keeps the pair in place as `previous` (write-once), then delivers. Refuses a leaf of a CA that is being removed. */
  async function updateTarget({
    target,
    entry,
    rotation,
  }: {
    target: string;
    entry: string;
    rotation: string;
  }): Promise<Delivery> {
    const leaf = await staged(entry);
    const record = await authorities.record(targetConfig(deps, target).authority);
    if (!mayIssueFrom(record, leaf.issuedBy))
      throw new RotationError('AuthorityRetiring', `CA ${leaf.issuedBy} is being removed.`);
    await keepPrevious(target, rotation, leaf);
    return deps.target(target).deliver({ certificate: leaf.certificate, key: leaf.key });
  }

  async function keepPrevious(target: string, rotation: string, leaf: KeyPair): Promise<void> {
    const previous = await deps.target(target).read();
    const name = entries.previous(target, rotation);
    if (!previous || previous.certificate.fingerprint === leaf.certificate.fingerprint) return;
    if (await deps.keystore.get(name)) return;
    await deps.keystore.create(name, { ...previous, ...ownedBy(target) });
  }

  async function rollOut({ target, delivery }: { target: string; delivery: Delivery }): Promise<void> {
    await deps.target(target).rollOut(delivery, progress());
  }

  async function confirmAdoption({ target, delivery }: { target: string; delivery: Delivery }): Promise<Adoption> {
    const deadline = deps.now().getTime() + deps.config.timing.rolloutDeadline;
    for (;;) {
      const adoption = await deps.target(target).adoption(delivery);
      if (adoption.adopted) return adoption;
      const missing = adoption.holders
        .filter((holder) => !holder.adopted)
        .map((holder) => `${holder.name}: ${holder.evidence}`);
      if (deps.now().getTime() >= deadline)
        throw new RotationError('NotAdopted', `Not on the new leaf: ${missing.join('; ')}.`);
      await pause(500, missing[0] ?? 'no pod uses the Secret');
    }
  }

  async function discardPairs({ target, rotation }: { target: string; rotation: string }): Promise<void> {
    await deps.keystore.delete(entries.leaf(target, rotation));
    await deps.keystore.delete(entries.previous(target, rotation));
  }

  /**
   * Puts the previous pair back and rolls it out, if it still works: valid, admitted by a probe now (safety 16, 32).
   * Otherwise nothing is restarted and the failure says so. Without a previous pair nothing had been changed.
   */
  async function restoreTarget({ target, rotation }: { target: string; rotation: string }): Promise<void> {
    const previous = await deps.keystore.get(entries.previous(target, rotation));
    if (previous?.certificate && previous.key) {
      const pair = { certificate: previous.certificate, key: previous.key };
      await prove(pair, authorityConfig(deps, targetConfig(deps, target).authority).namespaces);
      const delivery = await deps.target(target).deliver(pair);
      await deps.target(target).rollOut(delivery, progress());
    }
    await discardPairs({ target, rotation });
  }

  return {
    preflightLeaf,
    issueLeaf,
    testConnection,
    updateTarget,
    rollOut,
    confirmAdoption,
    discardPairs,
    restoreTarget,
  };
}
