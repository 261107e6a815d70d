import { planBundle } from '../domain/bundle.js';
import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import { admittingBoth, filtersBefore, sameFilters, type CertificateFilter } from '../domain/filters.js';
import { issuersAmong } from '../x509/chain.js';
import type { ChangeOptions, Cloud, NamespaceTrust, TrustChange, WantedTrust } from './cloud.js';

export interface FormerTrust {
  readonly namespace: string;
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
}

/**
 * Puts back by hand what a namespace trusted, and takes nothing away: CAs that came since stay, expired ones excepted, and
 * whoever the filters admit now they admit after it, too. Throws what Cloud.changeTrust throws, and BundleFull.
 */
export async function restoreTrust(
  cloud: Cloud,
  { namespace, bundle, filters }: FormerTrust,
  now: Date,
  options: ChangeOptions,
): Promise<TrustChange> {
  return cloud.changeTrust(
    namespace,
    (current) => withAdded(current, { add: bundle, filters: admittingBoth(current.filters, filters), now }),
    options,
  );
}

/** What a removal took of what a namespace trusted. */
export interface RemovedTrust extends FormerTrust {
  /** Of the bundle. */
  readonly removing: readonly Fingerprint[];
  /** Of these, what stays out: their keys leaked. */
  readonly leaked?: readonly Fingerprint[];
}

/**
 * Undoes a removal: what it took goes back, and what others changed since stays as they want it. Throws what Cloud.changeTrust
 * throws, and BundleFull.
 * @param wanted the filters that the removal set; undefined: it left them alone
 */
export async function restoreRemoved(
  cloud: Cloud,
  { namespace, bundle, filters, removing, leaked = [] }: RemovedTrust,
  { wanted, now }: { readonly wanted: readonly CertificateFilter[] | undefined; readonly now: Date },
  options: ChangeOptions,
): Promise<TrustChange> {
  const add = bundle.filter(({ fingerprint }) => removing.includes(fingerprint) && !leaked.includes(fingerprint));
  return cloud.changeTrust(
    namespace,
    (current) => withAdded(current, { add, filters: filtersBefore(wanted, current.filters, filters), now }),
    options,
  );
}

function withAdded(
  current: NamespaceTrust,
  { add, filters, now }: { add: readonly CertificateFacts[]; filters: readonly CertificateFilter[]; now: Date },
): WantedTrust {
  const { bundle } = planBundle({
    current: current.bundle,
    add,
    remove: [],
    withFilters: !sameFilters(current.filters, filters),
    now,
    leavesInUse: [],
    issuers: issuersAmong([...current.bundle, ...add]),
  });
  return { bundle, filters };
}
