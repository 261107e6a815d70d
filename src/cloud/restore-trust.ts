import { planBundle } from '../domain/bundle.js';
import type { CertificateFacts } from '../domain/certificate.js';
import { admittingBoth, sameFilters, type CertificateFilter } from '../domain/filters.js';
import { issuersAmong } from '../x509/chain.js';
import type { ChangeOptions, Cloud, TrustChange } from './cloud.js';

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
    (current) => {
      const admitting = admittingBoth(current.filters, filters);
      const plan = planBundle({
        current: current.bundle,
        add: bundle,
        remove: [],
        withFilters: !sameFilters(current.filters, admitting),
        now,
        leavesInUse: [],
        issuers: issuersAmong([...current.bundle, ...bundle]),
      });
      return { bundle: plan.bundle, filters: admitting };
    },
    options,
  );
}
