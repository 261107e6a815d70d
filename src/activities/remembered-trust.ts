import type { NamespaceTrust } from '../cloud/cloud.js';
import type { Fingerprint } from '../domain/certificate.js';
import { filtersBefore } from '../domain/filters.js';
import { entries } from '../domain/ids.js';
import type { RememberedTrust } from '../domain/rotation.js';
import type { SavedTrust } from '../domain/saved-trust.js';
import { readCertificates } from '../x509/read.js';
import { Authorities } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { neighboursThere } from './neighbours.js';

export interface TrustToRemember {
  readonly authority: string;
  readonly namespace: string;
  readonly old: Fingerprint;
}

/** What an undo puts back is known before anything is removed, to whoever may have to do it (docs/decisions/0002). */
export function rememberedTrustActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Into history, and beside the authority: for `break-glass restore`, and for the run after one that was terminated. */
  async function rememberTrust(asked: TrustToRemember): Promise<RememberedTrust> {
    const { authority, namespace, old } = asked;
    const current = await deps.cloud.readNamespace(namespace);
    const before = await beforeRemovalCutShort(asked, current);
    if (before) return before;
    const { bundle, filters } = current;
    const leaving = await authorities.leavingWith(authority, old);
    const removing = bundle.map(({ fingerprint }) => fingerprint).filter((ca) => leaving.includes(ca));
    const neighbours = await neighboursThere(deps, authority, namespace);
    // Whoever restores it by hand does not bring back a CA whose key is in other hands.
    const { compromised = [] } = await authorities.record(authority);
    const leaked = removing.filter((ca) => compromised.includes(ca));
    const worthKeeping = bundle.filter(({ fingerprint }) => !compromised.includes(fingerprint));
    const saved: SavedTrust = {
      version: 1,
      kind: 'savedTrust',
      at: deps.now().toISOString(),
      namespaces: [{ namespace, bundle: worthKeeping.map(({ pem }) => pem).join(''), filters }],
      removal: { old, removing, neighbours },
    };
    await authorities.keep(authority, entries.trust(authority, namespace), saved);
    const trust = { namespace, bundle, filters, removing, ...(leaked.length > 0 && { leaked }) };
    return remembered(trust, neighbours);
  }

  /**
   * What a run kept that removed the CA and was terminated: the namespace shows it no more. What others changed since counts as it
   * is now.
   */
  async function beforeRemovalCutShort(
    { authority, namespace, old }: TrustToRemember,
    current: NamespaceTrust,
  ): Promise<RememberedTrust | undefined> {
    const chain = await authorities.chain(authority, old);
    if (current.bundle.some(({ fingerprint }) => chain.includes(fingerprint))) return undefined;
    const kept = (await deps.keystore.get(entries.trust(authority, namespace)))?.record as SavedTrust | undefined;
    const saved = kept?.namespaces.find((one) => one.namespace === namespace);
    if (kept?.removal?.old !== old || !saved) return undefined;
    const leaving = await authorities.leavingWith(authority, old);
    const left = readCertificates(saved.bundle).filter(({ fingerprint }) => leaving.includes(fingerprint));
    const bundle = [...current.bundle, ...left];
    const removing = left.map(({ fingerprint }) => fingerprint);
    return remembered(
      {
        namespace,
        bundle,
        filters: filtersBefore(deps.config.namespaces[namespace]?.filters, current.filters, saved.filters),
        removing,
      },
      kept.removal.neighbours,
    );
  }

  return { rememberTrust };
}

function remembered(trust: Omit<RememberedTrust, 'neighbours'>, neighbours: readonly string[]): RememberedTrust {
  return { ...trust, ...(neighbours.length > 0 && { neighbours }) };
}
