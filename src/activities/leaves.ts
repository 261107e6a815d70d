import { ownNamespaces } from '../config/own-namespaces.js';
import { leafOf } from '../config/rules.js';
import type { CertificateFacts } from '../domain/certificate.js';
import type { FilteredLeaf } from '../domain/filters.js';
import type { Dependencies } from './dependencies.js';
import { targetConfig, targetsOf } from './plan.js';

export interface LeafInUse {
  /** Of its target. */
  readonly name: string;
  readonly certificate: CertificateFacts;
  /** What it presents besides itself. */
  readonly chain?: readonly CertificateFacts[] | undefined;
}

/** The certificates in the targets of an authority, as they are now. */
export function leavesInUse(deps: Dependencies, authority: string): Promise<readonly LeafInUse[]> {
  return leavesIn(deps, targetsOf(deps, authority));
}

/**
 * The leaves that a CA of the authority may admit to the namespace, as they are now: those of its own targets, and of every other
 * one that uses the namespace, because authorities may have a root in common.
 */
export function leavesAtRisk(
  deps: Dependencies,
  { authority, namespace }: { authority: string; namespace: string },
): Promise<readonly LeafInUse[]> {
  return leavesIn(deps, [...new Set([...targetsOf(deps, authority), ...targetsIn(deps, namespace)])]);
}

/** The certificates in these targets, as they are now. */
export async function leavesIn(deps: Dependencies, targets: readonly string[]): Promise<readonly LeafInUse[]> {
  const found = await Promise.all(targets.map(async (name) => ({ name, pair: await deps.target(name).read() })));
  return found.flatMap(({ name, pair }) => (pair ? [{ name, certificate: pair.certificate, chain: pair.chain }] : []));
}

/** What the filters of a namespace must admit: the leaves that are for it, those in use and those that will be issued. */
export async function leavesFor(deps: Dependencies, namespace: string): Promise<readonly FilteredLeaf[]> {
  const names = targetsIn(deps, namespace);
  const inUse = await leavesIn(deps, names);
  const toCome = names.map((name) => ({
    name,
    certificate: { ...leafOf(targetConfig(deps, name)), subject: 'its configured subject' },
  }));
  return [...inUse, ...toCome];
}

/** Names of the targets whose leaves are for the namespace, whichever authority signs them. */
export function targetsIn({ config }: Dependencies, namespace: string): readonly string[] {
  return Object.entries(config.targets)
    .filter(([, target]) => ownNamespaces(config, target).includes(namespace))
    .map(([name]) => name);
}
