import { windowRules } from '../config/windows.js';
import { mayIssueFrom } from '../domain/authority.js';
import { isValidAt, type CertificateFacts, type Fingerprint, type LeafReference } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { entries } from '../domain/ids.js';
import { whyLeftToMove } from '../domain/renewal.js';
import type { LeafPreflight, LeafRotationRequest } from '../domain/rotation.js';
import { longestWaitMs } from '../domain/longest-wait.js';
import type { Adoption, Delivery } from '../targets/target.js';
import { moveUnderWay } from '../temporal/move-under-way.js';
import type { KeyPair } from '../x509/pair.js';
import { signedBy } from '../x509/read.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { pause, progress } from './failures.js';
import { targetConfig } from './plan.js';
import { refuseOwnOutage } from './preflight.js';
import { StagedLeaves, noCaYet } from './staged-leaves.js';

export interface Discard {
  readonly target: string;
  /** The target is on a pair that works: the previous ones are of no use any more. */
  readonly settled?: boolean;
}

export function leafActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);
  const staged = new StagedLeaves(deps);

  async function preflightLeaf(request: LeafRotationRequest): Promise<LeafPreflight> {
    const { authority } = targetConfig(deps, request.target);
    const facts = await deps.target(request.target).inspect();
    const skip = await reasonToSkip(request, facts.current);
    if (skip) return { ...facts, skip, ...((await hasLeftOver(request.target, facts.current)) && { leftOver: true }) };
    await deps.assertPrograms(authority);
    await refuseOwnOutage(deps, request.target, facts.gap);
    const { signing } = await authorities.record(authority);
    if (!request.ca && !signing) throw noCaYet(authority);
    return facts;
  }

  async function reasonToSkip(request: LeafRotationRequest, current?: CertificateFacts): Promise<string | undefined> {
    if (!current) return undefined;
    const { renew, authority } = targetConfig(deps, request.target);
    if (request.ca) {
      const ca = await authorities.certificate(authority, request.ca);
      const moved = ca && signedBy(current, ca) && isValidAt(current, deps.now());
      return moved && (await isAdopted(request.target, current)) ? 'It is on a leaf of that CA already' : undefined;
    }
    if (!request.onlyWhenDue) return undefined;
    const left = Date.parse(current.notAfter) - deps.now().getTime();
    if (renew !== 'always' && left > renew.before) return `Not due: valid until ${current.notAfter}`;
    return leftToCaRotation(request.target, current);
  }

  /** A run that died left pairs behind, and the target needs none of them. */
  async function hasLeftOver(target: string, current?: CertificateFacts): Promise<boolean> {
    return current !== undefined && (await staged.kept(target)).length > 0 && isAdopted(target, current);
  }

  async function isAdopted(target: string, { fingerprint }: CertificateFacts): Promise<boolean> {
    const delivery = await deps.target(target).delivered();
    return delivery?.leaf === fingerprint && (await deps.target(target).adoption(delivery)).adopted;
  }

  async function leftToCaRotation(target: string, { notAfter }: CertificateFacts): Promise<string | undefined> {
    const { authority } = targetConfig(deps, target);
    const { interval, alertTime } = deps.config.schedule;
    // Also of a target that is never restarted: it may come after others that wait.
    const windowMs = longestWaitMs(windowRules(deps.config, 'restarts'));
    const room = { notAfter, windowMs, intervalMs: interval, alertMs: alertTime };
    return whyLeftToMove(target, await moveUnderWay(deps.client(), authority), room, deps.now());
  }

  async function issueLeaf(request: { target: string; rotation: string; ca?: Fingerprint }): Promise<LeafReference> {
    const { target, rotation, ca } = request;
    return staged.issue({ target, entry: entries.leaf(target, rotation), ...(ca && { ca }) });
  }

  async function testConnection({ target, entry }: { target: string; entry: string }): Promise<void> {
    await staged.prove(target, await staged.take(entry));
  }

  /** Keeps the pair in place as `previous`, then delivers. Refuses a leaf of a CA that is being removed. */
  async function updateTarget(request: { target: string; entry: string; rotation: string }): Promise<Delivery> {
    const { target, entry, rotation } = request;
    const leaf = await staged.take(entry);
    const record = await authorities.record(targetConfig(deps, target).authority);
    if (!mayIssueFrom(record, leaf.issuedBy))
      throw new RotationError('AuthorityRetiring', `CA ${leaf.issuedBy} is being removed; nothing was delivered.`);
    await keepPrevious(target, rotation, leaf);
    const { certificate, key, chain } = leaf;
    return deps.target(target).deliver({ certificate, key, chain });
  }

  /**
   * Write-once per rotation, and never the new pair: a second attempt finds that in place (safety 32). What a run kept that was
   * terminated or reset counts for this one, too, until every pod is proved to be on the pair that it left in place.
   */
  async function keepPrevious(target: string, rotation: string, leaf: KeyPair): Promise<void> {
    const previous = await deps.target(target).read();
    const entry = entries.previous(target, rotation);
    if (!previous || previous.certificate.fingerprint === leaf.certificate.fingerprint) return;
    if (await deps.keystore.get(entry)) return;
    if ((await staged.previous(target, rotation)) && !(await isAdopted(target, previous.certificate))) return;
    await staged.keep(target, entry, previous);
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
      const [first = 'no pod uses the Secret'] = missing;
      if (deps.now().getTime() >= deadline)
        throw new RotationError('NotAdopted', `${target} is not on the new leaf: ${missing.join('; ') || first}.`);
      await pause(500, first);
    }
  }

  /** Leaves on their way, those of runs that died too: the fixed id is a lock, so nobody else has any for this target. */
  async function discardPairs({ target, settled = false }: Discard): Promise<void> {
    for (const { name } of await staged.kept(target))
      if (settled || !name.startsWith(entries.previous(target, ''))) await deps.keystore.delete(name);
  }

  return { preflightLeaf, issueLeaf, testConnection, updateTarget, rollOut, confirmAdoption, discardPairs };
}
