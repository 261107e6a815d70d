import { setTimeout as wait } from 'node:timers/promises';
import { trustFound } from '../cloud/trust-facts.js';
import type { NamespaceTrust, WantedTrust } from '../cloud/cloud.js';
import type { Decision } from '../domain/approval.js';
import { planBundle, planFilters, refuseDistrust, refuseStranded } from '../domain/bundle.js';
import { isExpired, short, type Fingerprint } from '../domain/certificate.js';
import { judgeKey } from '../domain/cloud-key.js';
import { changedByOthers, changedFacts, onlyPollersCame } from '../domain/evidence.js';
import { RotationError } from '../domain/failures.js';
import { sameFilters } from '../domain/filters.js';
import type { RememberedTrust } from '../domain/rotation.js';
import { proveAccepted, proveRefused } from '../probes/streak.js';
import type { Progress } from '../targets/target.js';
import { anchorsOf, issuersAmong } from '../x509/chain.js';
import type { KeyPair } from '../x509/pair.js';
import { objectionToDecision } from './approvers.js';
import { Authorities } from './authorities.js';
import { clusterClock, type Clock } from './cluster-clock.js';
import type { Noted } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import { digestOf, gatherEvidence } from './evidence.js';
import { leavesAtRisk, leavesFor, leavesInUse, type LeafInUse } from './leaves.js';
import { auditContext, foundOnRecord } from './on-record.js';
import { puttingBack, removedFrom } from './put-back.js';
import { RemovalProgress } from './removal-progress.js';
import { probeLeaf } from './trust.js';
import { holdWatch } from './watch.js';

export interface Removal {
  readonly authority: string;
  /** The namespace, and what it trusted before. */
  readonly before: RememberedTrust;
  /** Namespaces that it left before in this rotation, and of what they trusted what goes back: an undo is of all of them. */
  readonly earlier?: readonly RememberedTrust[];
  /** The CA that stays. */
  readonly ca: Fingerprint;
  readonly old: Fingerprint;
  readonly rotation: string;
  readonly approval: RemovalApproval;
  /** Of the evidence: since when pollers count (RFC 3339). */
  readonly quietSince?: string;
}

/** What the removal was approved on: checked again, fact by fact, before anything is removed (safety 40). */
export interface RemovalApproval {
  readonly decision: Decision;
  readonly facts: readonly string[];
  /** Namespaces that this rotation has removed the CA from already: there the facts are its own doing. */
  readonly changedByUs: readonly string[];
}

/** A leaf of the old CA that was admitted right before the removal, or why there is none. */
type Negative = { readonly leaf: KeyPair } | { readonly unproved: string };

const lookAgainMs = 5000;

/** Then nothing of this attempt was written; what an earlier one wrote, the workflow puts back. */
const refusedBySomebodyElsesChange = (error: unknown): boolean =>
  error instanceof RotationError && (error.type === 'EvidenceChanged' || error.type === 'NewCaNotTrusted');

export function removalActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);
  const { putBack, staysOut, restoreTrust } = puttingBack(deps);

  /**
   * Takes the old CA out of one namespace and holds the watch, in one activity, so that the undo needs nothing but the API
   * key (design, section 4): when somebody falls off, or a person cancels, what was trusted before goes back. A worker that
   * shuts down undoes nothing: the next attempt finds the removal made and goes on with the watch where this one was.
   */
  async function removeCa(removal: Removal): Promise<{ lines: readonly string[] } & Noted> {
    const work = new RemovalProgress();
    if (work.undoReason) return end(removal, work, new RotationError('RemovalUndone', work.undoReason));
    await refuseWhatWasUndone(removal);
    try {
      const clock = await clusterClock(deps);
      const negative = await takeOut(removal, work, clock);
      const lines = await proofs(removal, negative, work);
      const { authority, ca, before } = removal;
      const { namespace, neighbours = [] } = before;
      const watched = { authority, ca, namespace, neighbours, removedAt: work.removedAt!, clock };
      await holdWatch(deps, watched, work);
      await refuseWhatIsBack(removal);
      await refuseWhatWasUndone(removal);
      return {
        lines: [...lines, `Everybody was still there at the end of the watch over ${before.namespace}`],
        ...(work.notes.length > 0 && { notes: work.notes }),
      };
    } catch (error) {
      if (refusedBySomebodyElsesChange(error)) throw error;
      if (!work.goesOn(error) && work.began) return end(removal, work, error);
      // What a stop makes of a wait is an AbortError; the SDK wants to see the cancellation itself.
      work.signal.throwIfAborted();
      throw error;
    }
  }

  /** What was removed goes back, unless it is compromised: the workflow then moves everybody on (safety 43). */
  async function end(removal: Removal, work: RemovalProgress, error: unknown): Promise<never> {
    if (!(await staysOut(removal))) return undo(removal, work, error);
    work.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const { old, before } = removal;
    throw new RotationError('NotPutBack', `CA ${short(old)} stays out of ${before.namespace}: ${reason}`);
  }

  async function undo(removal: Removal, work: RemovalProgress, error: unknown): Promise<never> {
    const reason = error instanceof Error ? error.message : String(error);
    const undone = await putBack(removal, work.undoing(reason));
    work.signal.throwIfAborted();
    if (!undone) throw error;
    const namespaces = removedFrom(removal).map(({ namespace }) => namespace);
    throw new RotationError(
      'RemovalUndone',
      [`CA ${short(removal.old)} is trusted by ${namespaces.join(', ')} again: ${reason}`, ...work.notes].join(' '),
    );
  }

  /** An attempt that had lost Temporal may have undone the removal and could not say so; or a person did, at a shell. */
  async function refuseWhatWasUndone({ authority, old, before }: Removal): Promise<void> {
    if ((await authorities.record(authority)).retiring === old) return;
    throw new RotationError(
      'RemovalUndone',
      `CA ${short(old)} is not marked as retiring: its removal from ${before.namespace} was undone, at a shell or by an earlier attempt.`,
    );
  }

  /** Somebody put it back during the watch, by `break-glass restore` for instance: then they know why. */
  async function refuseWhatIsBack({ before, old }: Removal): Promise<void> {
    const { bundle } = await deps.cloud.readNamespace(before.namespace);
    if (!bundle.some(({ fingerprint }) => before.removing.includes(fingerprint))) return;
    throw new RotationError(
      'RemovalUndone',
      `Somebody put CA ${short(old)} back into ${before.namespace} while its removal was watched.`,
    );
  }

  /** The last checks on what is read now, then the write; nothing where an earlier attempt has written. */
  async function takeOut(removal: Removal, work: RemovalProgress, clock: Clock): Promise<Negative> {
    const { namespace } = removal.before;
    const current = await settled(removal, work);
    const wanted = deps.config.namespaces[namespace]?.filters ?? current.filters;
    const leaving = await authorities.leavingWith(removal.authority, removal.old);
    const trusted = current.bundle.some((ca) => leaving.includes(ca.fingerprint));
    if (trusted && work.removedAt !== undefined) await refuseWhatIsBack(removal);
    if (!trusted && sameFilters(current.filters, wanted)) {
      work.foundRemoved(clock());
      foundOnRecord(deps, trustFound(current));
      return { unproved: 'it had left before' };
    }
    if (trusted) await refuseWithoutNewCa(removal, current);
    if (!(await staysOut(removal))) {
      refuseExpiring(removal);
      if (trusted) await refuseUnfitKey(removal);
    }
    const negative = trusted ? await admittedOldLeaf(removal, work) : { unproved: 'it had left before' };
    await refuseOtherEvidence(removal, work);
    work.begin(`removing CA ${short(removal.old)} from ${namespace}`);
    await write(removal, work);
    work.removed(clock());
    // Whoever undoes it by the API key alone marks that first, and then looks what is trusted: one of the two sees the other.
    await refuseWhatWasUndone(removal);
    return negative;
  }

  /**
   * The namespace once no operation changes it, and what an earlier attempt began, and died, is brought to its end. A leaf of
   * the old CA that is refused in the middle of that would be taken for a finding.
   */
  async function settled({ before, rotation }: Removal, work: RemovalProgress): Promise<NamespaceTrust> {
    const asItIs = (current: NamespaceTrust): WantedTrust => current;
    const options = { generation: `${rotation}/settled`, onProgress: work.report, signal: work.signal };
    const change = await deps.cloud.changeTrust(before.namespace, asItIs, options);
    work.note(change);
    work.report(`${before.namespace} is not being changed`);
    return change.after;
  }

  /** The new CA is in what the removal leaves of the bundle just read. */
  async function refuseWithoutNewCa(
    { authority, ca, old }: Removal,
    { namespace, bundle }: NamespaceTrust,
  ): Promise<void> {
    const leaving = await authorities.leavingWith(authority, old);
    const stays = bundle.filter(({ fingerprint }) => !leaving.includes(fingerprint));
    refuseDistrust({ namespace, bundle: stays }, await authorities.chain(authority, ca), deps.now());
  }

  /** A fresh leaf of the old CA that passes now: only its refusal later proves anything. None when the key is not held. */
  async function admittedOldLeaf(removal: Removal, work: Progress): Promise<Negative> {
    const { authority, old, before } = removal;
    if (await isOver(removal)) return { unproved: 'it has expired' };
    if (!(await authorities.holdsKey(authority, old))) return { unproved: 'its key is not held' };
    const leaf = await probeLeaf(deps, { authority, namespace: before.namespace }, old);
    const once = { successes: 1, overMs: 0, deadlineMs: 60_000 };
    await proveAccepted(deps.probe, leaf, deps.endpoints(before.namespace), once, work);
    return { leaf };
  }

  /** An expired CA is refused by the server: the watch could not put it back. */
  function refuseExpiring({ before, old }: Removal): void {
    const ca = before.bundle.find(({ fingerprint }) => fingerprint === old);
    if (!ca || isExpired(ca, deps.now()) || !isExpired(ca, endOfWatch())) return;
    throw new RotationError(
      'OldCaExpiring',
      `Nothing was removed: CA ${short(old)} expires at ${ca.notAfter}, during the watch over its removal.`,
    );
  }

  /** The watch could put nothing back without the API key; preflight looked at it days ago, perhaps (safety 24). */
  async function refuseUnfitKey(removal: Removal): Promise<void> {
    const identity = await deps.cloud.identity();
    const until = new Date(endOfWatch().getTime() + 3 * deps.config.timing.proof.deadline);
    const namespaces = removedFrom(removal).map(({ namespace }) => namespace);
    if (identity) judgeKey(identity, { namespaces, until, state: `Nothing was removed from ${namespaces[0]}` });
  }

  /** Of a removal that is made now. */
  function endOfWatch(): Date {
    const { watch, connectionAge, connectionAgeGrace } = deps.config.timing;
    return new Date(deps.now().getTime() + watch + connectionAge + connectionAgeGrace);
  }

  /** An old CA that has expired lets nobody in: who approves its removal does not matter, nor could a leaf be proved. */
  async function isOver({ authority, before, old }: Removal): Promise<boolean> {
    // The write that added the new CA has dropped it, if it had expired by then.
    const ca =
      before.bundle.find(({ fingerprint }) => fingerprint === old) ?? (await authorities.certificate(authority, old));
    return ca !== undefined && isExpired(ca, deps.now());
  }

  /** The evidence is gathered anew, and must be what was approved. */
  async function refuseOtherEvidence(removal: Removal, work: Progress): Promise<void> {
    const { authority, ca, approval, quietSince } = removal;
    const { decision, facts, changedByUs } = approval;
    if (decision.decision !== 'approve' || decision.evidence !== digestOf(facts))
      throw new RotationError('EvidenceChanged', `The approval of ${decision.who} is for other evidence.`);
    const isUnderWay = (removal.earlier ?? []).length > 0;
    const objection = (await isOver(removal)) ? undefined : objectionToDecision(deps, authority, decision, isUnderWay);
    if (objection) throw new RotationError('EvidenceChanged', `Nothing was removed: ${objection}.`);
    const until = deps.now().getTime() + deps.config.timing.soak;
    for (;;) {
      const evidence = await gatherEvidence(deps, { authority, ca, ...(quietSince && { quietSince }) }, work);
      if (!evidence.complete)
        throw new RotationError(
          'EvidenceMissing',
          `Nothing was removed. Not on the new CA: ${evidence.missing.join('; ')}.`,
        );
      const changes = changedFacts(facts, evidence.facts, changedByUs);
      if (changes.length === 0 || (decision.lockOutUnknown && onlyPollersCame(changes)))
        return onRecord(authority, decision);
      if (!onlyPollersCame(changes) || deps.now().getTime() >= until)
        throw new RotationError('EvidenceChanged', `Nothing was removed. Since the approval: ${changes.join('; ')}.`);
      work.report('waiting for pollers of no known target, such as pods that a renewal replaced, to fall silent');
      await wait(Math.min(lookAgainMs, deps.config.timing.soak / 4), undefined, { signal: work.signal });
    }
  }

  function onRecord(authority: string, { who, identity, why, at, evidence, seconded }: Decision): void {
    deps.audit({
      event: 'removalApproved',
      subject: `authority/${authority}`,
      who,
      identity,
      why,
      ...(at && { decidedAt: at }),
      ...(evidence && { evidence }),
      ...(seconded && { after: { seconded } }),
      ...auditContext(deps),
    });
  }

  async function write(removal: Removal, work: RemovalProgress): Promise<void> {
    const { namespace } = removal.before;
    const change = await deps.cloud.changeTrust(namespace, (current) => withoutOldCa(removal, current), {
      generation: `${removal.rotation}/remove`,
      onProgress: work.report,
      signal: work.signal,
    });
    work.note(change);
  }

  /** Decided on what the namespace trusts and who uses it now; refuses whatever would lock somebody out. */
  async function withoutOldCa(removal: Removal, current: NamespaceTrust): Promise<WantedTrust> {
    const { authority, before, old } = removal;
    const { namespace } = before;
    const wanted = deps.config.namespaces[namespace]?.filters;
    const remove = await authorities.leavingWith(authority, old);
    const now = deps.now();
    // Somebody may have undone it by the API key alone since this attempt began.
    await refuseWhatWasUndone(removal);
    await refuseWithoutNewCa(removal, current);
    const others = changedByOthers(before, current, { leaving: remove, wanted: wanted ?? before.filters, now });
    if (others.length > 0) {
      const changes = others.join('; ');
      throw new RotationError(
        'EvidenceChanged',
        `Somebody else changed what ${namespace} trusts meanwhile: ${changes}.`,
      );
    }
    const anchored = (leaves: readonly LeafInUse[], cas: WantedTrust['bundle']) =>
      leaves.map((leaf) => ({ name: leaf.name, chainsTo: anchorsOf(leaf, cas) }));
    const { bundle } = planBundle({
      current: current.bundle,
      add: [],
      remove,
      withFilters: wanted !== undefined && !sameFilters(current.filters, wanted),
      now,
      leavesInUse: anchored(await leavesAtRisk(deps, { authority, namespace }), current.bundle),
      issuers: issuersAmong(current.bundle),
    });
    refuseStranded(anchored(await leavesInUse(deps, authority), bundle), bundle, now);
    const filters = wanted && planFilters({ wanted, leaves: await leavesFor(deps, namespace) });
    return { bundle, filters: filters ?? current.filters };
  }

  async function proofs(
    { authority, before: { namespace }, ca, old }: Removal,
    negative: Negative,
    work: Progress,
  ): Promise<readonly string[]> {
    const { successes, over, deadline } = deps.config.timing.proof;
    const endpoints = deps.endpoints(namespace);
    const accepted = await probeLeaf(deps, { authority, namespace }, ca);
    await proveAccepted(deps.probe, accepted, endpoints, { successes, overMs: over, deadlineMs: deadline }, work);
    const positive = `${namespace} admits leaves of CA ${short(ca)}`;
    if ('unproved' in negative)
      return [positive, `Not proved that leaves of CA ${short(old)} are refused: ${negative.unproved}`];
    await proveRefused(deps.probe, negative.leaf, endpoints, { successes, deadlineMs: deadline }, work);
    return [positive, `${namespace} refuses a leaf of CA ${short(old)} that it admitted before the removal`];
  }

  return { removeCa, restoreTrust };
}
