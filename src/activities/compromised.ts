import type { NamespaceTrust } from '../cloud/cloud.js';
import { isCompromised, withCompromised } from '../domain/authority.js';
import { short, type CertificateFacts, type Fingerprint } from '../domain/certificate.js';
import type { Exposure, Leaked } from '../domain/emergency.js';
import { signedBy } from '../x509/read.js';
import { Authorities, ownerOf } from './authorities.js';
import type { Dependencies } from './dependencies.js';
import { leavesInUse, type LeafInUse } from './leaves.js';
import { auditContext } from './on-record.js';
import { authorityConfig } from './plan.js';

export interface Declaration {
  readonly authority: string;
  readonly leaked: Leaked;
  readonly who: string;
  readonly why: string;
  /** The `next` of the rotation that declares it; absent: it has made none yet. */
  readonly next?: Fingerprint;
}

export interface CompromisedCas {
  /** Of the CA in use, or the one that was to follow it. Absent: it is not compromised, or there is none. */
  readonly current?: Fingerprint;
  /** It is `next` no longer: another one is to be made. */
  readonly next?: Fingerprint;
  /** For people. */
  readonly lines: readonly string[];
}

export function compromisedActivities(deps: Dependencies) {
  const authorities = new Authorities(deps);

  /** Before anything else: from here on nothing puts such a CA back, issues from it while another signs, or makes it current. */
  async function declareCompromised(declaration: Declaration): Promise<CompromisedCas> {
    const { authority, leaked, who, why } = declaration;
    const before = await authorities.record(authority);
    const { current } = before;
    // A second attempt finds that the first has taken it off the record.
    const marked = declaration.next !== undefined && isCompromised(before, declaration.next);
    const next = marked ? declaration.next : before.next;
    const cas = {
      ...((leaked === 'current' || leaked === 'both') && current && { current }),
      ...((leaked === 'next' || leaked === 'both') && next && { next }),
    };
    await authorities.change(authority, (record) => withCompromised(record, Object.values(cas)));
    if (leaked !== 'none')
      deps.audit({
        event: 'compromiseDeclared',
        subject: ownerOf(authority),
        after: cas,
        who,
        identity: 'claimed',
        why,
        ...auditContext(deps),
      });
    const unknown = leaked !== 'none' && Object.keys(cas).length === 0;
    return {
      ...cas,
      lines: [
        ...Object.entries(cas).map(([role, ca]) => `CA ${short(ca)} (${role}) is marked as compromised`),
        ...(unknown ? [`${authority} has no ${leaked === 'next' ? 'next ' : ''}CA that could be compromised`] : []),
      ],
    };
  }

  /** Read from the namespaces and the targets themselves, now. */
  async function gatherExposure({ authority }: { authority: string }): Promise<readonly Exposure[]> {
    const leaves = await leavesInUse(deps, authority);
    const trusts = await Promise.all(
      authorityConfig(deps, authority).namespaces.map((namespace) => deps.cloud.readNamespace(namespace)),
    );
    return exposuresOf(authorities, authority, { leaves, trusts });
  }

  return { declareCompromised, gatherExposure };
}

/** What was read of an authority's namespaces and targets. */
export interface InUse {
  readonly leaves: readonly Pick<LeafInUse, 'name' | 'certificate'>[];
  readonly trusts: readonly Pick<NamespaceTrust, 'namespace' | 'bundle'>[];
}

/** What the compromised CAs of the authority open. Those of long ago are left out, unless one is trusted again. */
export async function exposuresOf(
  authorities: Authorities,
  authority: string,
  { leaves, trusts }: InUse,
): Promise<readonly Exposure[]> {
  const { compromised = [], ...roles } = await authorities.record(authority);
  const exposures: Exposure[] = [];
  for (const ca of compromised) {
    const certificate = await authorities.certificate(authority, ca);
    const chain = await authorities.chain(authority, ca);
    const trusting = trusts.filter(({ bundle }) => bundle.some(({ fingerprint }) => chain.includes(fingerprint)));
    const isOn = (leaf: CertificateFacts) => certificate !== undefined && signedBy(leaf, certificate);
    if (trusting.length === 0 && !certificate && roles.current !== ca) continue;
    exposures.push({
      ca,
      namespaces: trusting.map(({ namespace }) => namespace),
      targets: leaves.filter((leaf) => isOn(leaf.certificate)).map(({ name }) => name),
    });
  }
  return exposures;
}
