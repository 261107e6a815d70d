import { short, type Fingerprint } from '../domain/certificate.js';
import { planBundle, planFilters } from '../domain/bundle.js';
import { admits, admittingBoth, sameFilters, widens, type CertificateFilter } from '../domain/filters.js';
import { proveAccepted } from '../probes/streak.js';
import { issuersAmong } from '../x509/chain.js';
import type { KeyPair } from '../x509/pair.js';
import { Authorities } from './authorities.js';
import { cloudProgress, noted, type Noted } from './cloud-progress.js';
import type { Dependencies } from './dependencies.js';
import { progress } from './failures.js';
import { leavesFor, targetsIn } from './leaves.js';
import { targetConfig } from './plan.js';

/** A leaf that is made for test connections and forgotten outlives the longest of them, a watch, by this. */
const probeLeafLifetimeMs = 3_600_000;

/** A leaf as the targets of the namespace have it, made for one test; its key never leaves this process. */
export async function probeLeaf(
  deps: Dependencies,
  { authority, namespace }: { authority: string; namespace: string },
  ca: Fingerprint,
): Promise<KeyPair> {
  const authorities = new Authorities(deps);
  const { algorithm: ofCa } = authorities.config(authority).issuer;
  const first = targetsIn(deps, namespace).find((name) => targetConfig(deps, name).authority === authority);
  const { subject, dnsNames, uris, algorithm } = first
    ? targetConfig(deps, first)
    : { subject: { organization: authority, commonName: authority }, dnsNames: [], uris: [], algorithm: ofCa };
  return deps.issuer(authority).issueLeaf(await authorities.pair(authority, ca), {
    subject,
    dnsNames,
    uris,
    algorithm,
    lifetimeMs: probeLeafLifetimeMs + deps.config.timing.watch,
    now: deps.now(),
  });
}

export function trustActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /**
   * The new CA next to the old one; expired ones leave in the same write. `again`: also filters that admit the targets' leaves,
   * where those that the namespace has now refuse one and the configuration says which it wants.
   */
  async function trustCa({ authority, namespace, ca, rotation, again }: TrustStep): Promise<Trusted & Noted> {
    const certificate = await authorities.known(authority, ca);
    const change = await deps.cloud.changeTrust(
      namespace,
      async (current) => {
        const filters = again ? await admittingOurs(namespace, current.filters) : current.filters;
        const { bundle } = planBundle({
          current: current.bundle,
          add: [certificate],
          remove: [],
          withFilters: !sameFilters(filters, current.filters),
          now: deps.now(),
          leavesInUse: [],
          issuers: issuersAmong([...current.bundle, certificate]),
        });
        return { bundle, filters };
      },
      { generation: `${rotation}/trust`, ...cloudProgress() },
    );
    const { operationId, before, after } = change;
    const widened = !sameFilters(before.filters, after.filters);
    return {
      ...(operationId && { operationId }),
      ...(widened && { widened }),
      ...noted(change),
    };
  }

  /** The same filters where they refuse nobody of ours, or nobody said which are wanted. Others whom they admit stay admitted. */
  async function admittingOurs(
    namespace: string,
    filters: readonly CertificateFilter[],
  ): Promise<readonly CertificateFilter[]> {
    const wanted = deps.config.namespaces[namespace]?.filters;
    const leaves = await leavesFor(deps, namespace);
    if (!wanted || leaves.every(({ certificate }) => admits(filters, certificate))) return filters;
    return planFilters({ wanted: admittingBoth(filters, wanted), leaves });
  }

  async function proveTrust({ authority, namespace, ca }: Omit<Step, 'rotation'>): Promise<{ line: string }> {
    const { successes, over, deadline } = deps.config.timing.proof;
    const endpoints = deps.endpoints(namespace);
    const proof = { successes, overMs: over, deadlineMs: deadline };
    const leaf = await probeLeaf(deps, { authority, namespace }, ca);
    await proveAccepted(deps.probe, leaf, endpoints, proof, progress());
    return {
      line: `${namespace} admits leaves of CA ${short(ca)}: ${successes} connections in a row on every endpoint`,
    };
  }

  /** Widens now; a narrowing waits for the removal, because it refuses clients that nobody listed (safety 11). */
  async function widenFilters({ namespace, rotation }: Omit<Step, 'ca'>): Promise<{ line: string } & Noted> {
    const wanted = deps.config.namespaces[namespace]?.filters;
    const unchanged = `Filters of ${namespace} stay as they are`;
    if (!wanted) return { line: unchanged };
    const { filters } = await deps.cloud.readNamespace(namespace);
    if (!widens(filters, wanted))
      return {
        line: `Filters of ${namespace} become narrower: they wait for the removal of the old CA`,
      };
    // Also when they are as wanted: an attempt that made them so, and died, may have left something to put back.
    const change = await deps.cloud.changeTrust(
      namespace,
      async (current) => {
        if (sameFilters(current.filters, wanted)) return current;
        const { bundle } = planBundle({
          current: current.bundle,
          add: [],
          remove: [],
          withFilters: true,
          now: deps.now(),
          leavesInUse: [],
          issuers: issuersAmong(current.bundle),
        });
        return { bundle, filters: planFilters({ wanted, leaves: await leavesFor(deps, namespace) }) };
      },
      { generation: `${rotation}/widen`, ...cloudProgress() },
    );
    return {
      line: change.changed ? `Filters of ${namespace} widened; every leaf in use or to come matches` : unchanged,
      ...noted(change),
    };
  }

  return { trustCa, proveTrust, widenFilters };
}

export interface TrustStep extends Step {
  /** Somebody may have changed what was trusted since it was added first. */
  readonly again?: true;
}

export interface Trusted {
  /** Absent: nothing was to be changed. */
  readonly operationId?: string;
  /** The filters of the namespace had to change, too. */
  readonly widened?: true;
}

export interface Step {
  readonly authority: string;
  readonly namespace: string;
  readonly ca: Fingerprint;
  readonly rotation: string;
}
