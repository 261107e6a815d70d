import { short, type Fingerprint } from '../domain/certificate.js';
import { planBundle, planFilters } from '../domain/bundle.js';
import { admits, sameFilters, widens } from '../domain/filters.js';
import { RotationError } from '../domain/failures.js';
import { proveAccepted } from '../probes/streak.js';
import type { KeyPair } from '../x509/pair.js';
import { Authorities } from './authority.js';
import type { Dependencies } from './dependencies.js';
import { progress } from './failures.js';
import { authorityConfig, targetConfig, targetsOf } from './plan.js';

/** A leaf that is made for a test connection and forgotten lives this long. */
const probeLeafLifetimeMs = 3_600_000;

/** A leaf as the authority's targets have it, made for one test; its key never leaves this process. */
export async function probeLeaf(deps: Dependencies, authority: string, ca: Fingerprint): Promise<KeyPair> {
  const [first] = targetsOf(deps, authority);
  const { subject, dnsNames, uris, algorithm } = first
    ? targetConfig(deps, first)
    : { subject: { commonName: authority }, dnsNames: [], uris: [], algorithm: 'P-384' as const };
  return deps.issuer(authority).issueLeaf(await new Authorities(deps).pair(authority, ca), {
    subject,
    dnsNames,
    uris,
    algorithm,
    lifetimeMs: probeLeafLifetimeMs,
    now: deps.now(),
  });
}

export function trustActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Everything that can fail later, looked at before anything is changed. */
  async function preflightCa({ authority }: { authority: string }): Promise<{ lines: readonly string[] }> {
    const { namespaces } = authorityConfig(deps, authority);
    const lines: string[] = [];
    for (const namespace of namespaces) {
      const trust = await deps.cloud.readNamespace(namespace);
      if (!trust.mtlsEnabled)
        throw new RotationError('WouldLockOut', `mTLS is not enabled on ${namespace}; nothing was changed.`);
      lines.push(`${namespace} trusts ${trust.bundle.length} of 16 CAs and has ${trust.filters.length} filters`);
    }
    for (const name of targetsOf(deps, authority)) {
      const facts = await deps.target(name).inspect();
      lines.push(`${name}: ${facts.consumers.join(', ')}`, ...facts.warnings.map((warning) => `${name}: ${warning}`));
    }
    return { lines };
  }

  /** The new CA next to the old one; expired ones leave in the same write. */
  async function trustCa({ authority, namespace, ca, rotation }: Step): Promise<{ operationId?: string }> {
    const certificate = await authorities.certificate(authority, ca);
    if (!certificate) throw new RotationError('AuthorityKeyMissing', `The keystore has no CA ${ca}.`);
    const change = await deps.cloud.changeTrust(
      namespace,
      (current) => {
        const { bundle } = planBundle({
          current: current.bundle,
          add: [certificate],
          remove: [],
          now: deps.now(),
          leavesInUse: [],
        });
        return { bundle, filters: current.filters };
      },
      { generation: `${rotation}/trust`, onProgress: progress().report, signal: progress().signal },
    );
    return change.operationId ? { operationId: change.operationId } : {};
  }

  async function proveTrust({ authority, namespace, ca }: Omit<Step, 'rotation'>): Promise<{ line: string }> {
    const { successes, over, deadline } = deps.config.timing.proof;
    const endpoints = deps.endpoints(namespace);
    const proof = { successes, overMs: over, deadlineMs: deadline };
    await proveAccepted(deps.probe, await probeLeaf(deps, authority, ca), endpoints, proof, progress());
    return {
      line: `${namespace} admits leaves of CA ${short(ca)}: ${successes} connections in a row on every endpoint`,
    };
  }

  /** Widens now; a narrowing waits for the removal, because it refuses clients that nobody listed (safety 11). */
  async function widenFilters({ authority, namespace, rotation }: Omit<Step, 'ca'>): Promise<{ line: string }> {
    const wanted = deps.config.namespaces[namespace]?.filters;
    const { bundle, filters } = await deps.cloud.readNamespace(namespace);
    if (!wanted || sameFilters(filters, wanted)) return { line: `Filters of ${namespace} stay as they are` };
    if (!widens(filters, wanted))
      return {
        line: `Filters of ${namespace} become narrower: applied with the removal (${bundle.length} CAs trusted)`,
      };
    const leaves = await leavesInUse(deps, authority);
    await deps.cloud.changeTrust(
      namespace,
      (current) => ({ bundle: current.bundle, filters: planFilters({ wanted, leaves }) }),
      { generation: `${rotation}/widen`, onProgress: progress().report, signal: progress().signal },
    );
    return {
      line: `Filters of ${namespace} widened; ${leaves.filter((leaf) => admits(wanted, leaf.certificate)).length} leaves match`,
    };
  }

  return { preflightCa, trustCa, proveTrust, widenFilters };
}

export interface Step {
  readonly authority: string;
  readonly namespace: string;
  readonly ca: Fingerprint;
  readonly rotation: string;
}

/** The certificates in the targets of an authority, as they are now. */
export async function leavesInUse(deps: Dependencies, authority: string) {
  const found = await Promise.all(
    targetsOf(deps, authority).map(async (name) => ({
      name,
      certificate: (await deps.target(name).read())?.certificate,
    })),
  );
  return found.flatMap(({ name, certificate }) => (certificate ? [{ name, certificate }] : []));
}
