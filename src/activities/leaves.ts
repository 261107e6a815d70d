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
export async function leavesInUse(deps: Dependencies, authority: string): Promise<readonly LeafInUse[]> {
  const found = await Promise.all(
    targetsOf(deps, authority).map(async (name) => ({ name, pair: await deps.target(name).read() })),
  );
  return found.flatMap(({ name, pair }) => (pair ? [{ name, certificate: pair.certificate, chain: pair.chain }] : []));
}

/** What the filters of a namespace must admit: the leaves that are for it, those in use and those that will be issued. */
export async function leavesFor(
  deps: Dependencies,
  { authority, namespace }: { authority: string; namespace: string },
): Promise<readonly FilteredLeaf[]> {
  const names = targetsFor(deps, authority, namespace);
  const inUse = (await leavesInUse(deps, authority)).filter(({ name }) => names.includes(name));
  const toCome = names.map((name) => ({
    name,
    certificate: { ...leafOf(targetConfig(deps, name)), subject: 'its configured subject' },
  }));
  return [...inUse, ...toCome];
}

/** Names of the targets whose leaves are for the namespace. */
export function targetsFor(deps: Dependencies, authority: string, namespace: string): readonly string[] {
  return targetsOf(deps, authority).filter((name) =>
    ownNamespaces(deps.config, targetConfig(deps, name)).includes(namespace),
  );
}
