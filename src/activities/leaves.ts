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

/** The leaves that will be issued for the targets of an authority, as filters will see them. */
export function leavesToCome(deps: Dependencies, authority: string): readonly FilteredLeaf[] {
  return targetsOf(deps, authority).map((name) => ({
    name,
    certificate: { ...leafOf(targetConfig(deps, name)), subject: 'its configured subject' },
  }));
}
