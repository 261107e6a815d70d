import { Context } from '@temporalio/activity';
import { planBundle, planFilters } from '../domain/bundle.js';
import { short, type CertificateFacts, type Fingerprint } from '../domain/certificate.js';
import type { CertificateFilter } from '../domain/filters.js';
import { RotationError } from '../domain/failures.js';
import { leafRotationId } from '../domain/ids.js';
import type { LeafRotationResult } from '../domain/rotation.js';
import { proveAccepted, proveRefused } from '../probes/streak.js';
import type { KeyPair } from '../x509/pair.js';
import { signedBy } from '../x509/read.js';
import { Authorities, authorityActivities } from './authority.js';
import type { Dependencies } from './dependencies.js';
import { gatherEvidence } from './evidence.js';
import { pause, progress } from './failures.js';
import { targetConfig, targetsOf } from './plan.js';
import { leavesInUse, probeLeaf } from './trust.js';

export interface Removal {
  readonly authority: string;
  readonly namespace: string;
  /** The CA that stays. */
  readonly ca: Fingerprint;
  readonly old: Fingerprint;
  readonly rotation: string;
  readonly leaves: readonly LeafRotationResult[];
}

/** What was trusted before the removal (public data) and when it ended; survives a retry in the heartbeat. */
interface Undo {
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
  readonly removedAt: string;
}

export function removalActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);
  const { markCaRetiring } = authorityActivities(deps);

  /** No leaf of the old CA is issued or delivered from here on; then waits until no leaf rotation is under way. */
  async function markRetiring({ authority, old }: { authority: string; old: Fingerprint }): Promise<void> {
    await markCaRetiring({ authority, old });
    for (const target of targetsOf(deps, authority)) {
      while (await isOpen(leafRotationId(target))) await pause(500, `waiting for ${leafRotationId(target)} to end`);
    }
  }

  async function isOpen(workflowId: string): Promise<boolean> {
    try {
      return (await deps.client().workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
    } catch (error) {
      if ((error as Error).name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }

  /**
   * Takes the old CA out of one namespace and holds the watch, in one activity, so that the undo needs nothing but the API
   * key (design, section 4): when a target falls off, the previous bundle and filters go back.
   */
  async function removeCa(removal: Removal): Promise<{ lines: readonly string[] }> {
    const current = await deps.cloud.readNamespace(removal.namespace);
    const undo = rememberedUndo() ?? { bundle: current.bundle, filters: current.filters, removedAt: '' };
    const removedAlready = !current.bundle.some((ca) => ca.fingerprint === removal.old);
    const negative = removedAlready ? undefined : await admittedOldLeaf(removal);
    const began = undo.removedAt || deps.now().toISOString();
    if (!removedAlready) await remove(removal, { ...undo, removedAt: '' });
    Context.current().heartbeat({ line: 'removed; watching', undo: { ...undo, removedAt: began } });
    try {
      const lines = await proofs(removal, negative);
      await watch(removal, Date.parse(began), { ...undo, removedAt: began });
      return { lines };
    } catch (error) {
      await restore(removal, undo);
      const reason = error instanceof Error ? error.message : String(error);
      throw new RotationError(
        'RemovalUndone',
        `CA ${short(removal.old)} is trusted by ${removal.namespace} again: ${reason}`,
      );
    }
  }

  function rememberedUndo(): Undo | undefined {
    return (Context.current().info.heartbeatDetails as { undo?: Undo } | undefined)?.undo;
  }

  /** A fresh leaf of the old CA that passes now: only its refusal later proves anything. None when the key is not held. */
  async function admittedOldLeaf(removal: Removal): Promise<KeyPair | undefined> {
    const held = await authorities.certificate(removal.authority, removal.old);
    if (!held) return undefined;
    const leaf = await probeLeaf(deps, removal.authority, removal.old);
    await proveAccepted(
      deps.probe,
      leaf,
      deps.endpoints(removal.namespace),
      { successes: 1, overMs: 0, deadlineMs: 60_000 },
      progress(),
    );
    return leaf;
  }

  async function remove(removal: Removal, undo: Undo): Promise<void> {
    const { authority, namespace, ca, old, rotation, leaves } = removal;
    const evidence = await gatherEvidence(deps, { authority, ca, leaves });
    if (!evidence.complete) {
      throw new RotationError(
        'EvidenceMissing',
        `Nothing was removed. Not on the new CA: ${evidence.missing.join('; ')}.`,
      );
    }
    const inUse = await leavesInUse(deps, authority);
    Context.current().heartbeat({ line: `removing CA ${short(old)} from ${namespace}`, undo });
    const wanted = deps.config.namespaces[namespace]?.filters;
    await deps.cloud.changeTrust(
      namespace,
      (current) => ({
        bundle: planBundle({
          current: current.bundle,
          add: [],
          remove: [old],
          now: deps.now(),
          leavesInUse: inUse.map(({ name, certificate }) => ({
            name,
            issuedBy: current.bundle.find((candidate) => signedBy(certificate, candidate))?.fingerprint ?? '',
          })),
        }).bundle,
        filters: wanted ? planFilters({ wanted, leaves: inUse }) : current.filters,
      }),
      { generation: `${rotation}/remove`, onProgress: (line) => Context.current().heartbeat({ line, undo }) },
    );
  }

  async function proofs(
    { authority, namespace, ca, old }: Removal,
    negative: KeyPair | undefined,
  ): Promise<readonly string[]> {
    const { successes, over, deadline } = deps.config.timing.proof;
    const endpoints = deps.endpoints(namespace);
    const accepted = await probeLeaf(deps, authority, ca);
    await proveAccepted(deps.probe, accepted, endpoints, { successes, overMs: over, deadlineMs: deadline }, progress());
    const positive = `${namespace} admits leaves of CA ${short(ca)}`;
    if (!negative) return [positive, `Not proved that leaves of CA ${short(old)} are refused: its key is not held`];
    await proveRefused(deps.probe, negative, endpoints, { successes, deadlineMs: deadline }, progress());
    return [positive, `${namespace} refuses a leaf of CA ${short(old)} that it admitted before the removal`];
  }

  /** Longer than the server's maximum connection age: whoever still held a connection of the old CA shows now. */
  async function watch(removal: Removal, since: number, undo: Undo): Promise<void> {
    const leaf = await probeLeaf(deps, removal.authority, removal.ca);
    const until = since + deps.config.timing.watch;
    while (deps.now().getTime() < until) {
      const left = Math.ceil((until - deps.now().getTime()) / 1000);
      Context.current().heartbeat({ line: `watching ${removal.namespace}: ${left} s left`, undo });
      await stillThere(removal, leaf);
      await Context.current().sleep(Math.min(1000, Math.max(0, until - deps.now().getTime())));
    }
  }

  async function stillThere({ authority, namespace, ca, leaves }: Removal, leaf: KeyPair): Promise<void> {
    for (const endpoint of deps.endpoints(namespace)) {
      const result = await deps.probe.test(leaf, endpoint);
      if (result.outcome === 'refused')
        throw new RotationError('ProbeRefused', `${endpoint.address} refuses the new CA: ${result.reason}.`);
    }
    for (const target of targetsOf(deps, authority)) {
      if (targetConfig(deps, target).rollout === 'none') continue;
      const moved = leaves.find((other) => other.target === target);
      if (!moved?.newFingerprint) continue;
      const delivery = await deps.target(target).delivered();
      if (delivery?.leaf !== moved.newFingerprint) continue;
      const { holders } = await deps.target(target).adoption(delivery);
      const lost = holders.find((holder) => !holder.adopted);
      if (lost) throw new RotationError('NotAdopted', `${target} fell off: ${lost.name}: ${lost.evidence}.`);
    }
    void ca;
  }

  async function restore({ namespace, rotation, authority }: Removal, undo: Undo): Promise<void> {
    await deps.cloud.changeTrust(
      namespace,
      (current) => ({
        bundle: planBundle({ current: current.bundle, add: undo.bundle, remove: [], now: deps.now(), leavesInUse: [] })
          .bundle,
        filters: undo.filters,
      }),
      { generation: `${rotation}/restore/${authority}` },
    );
  }

  return { markRetiring, removeCa };
}
