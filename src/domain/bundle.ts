import { isExpired, isValidAt, short, type CertificateFacts, type Fingerprint } from './certificate.js';
import { RotationError } from './failures.js';
import { admits, maxFilters, type CertificateFilter, type FilteredLeaf } from './filters.js';

/** Limits of a namespace: docs.temporal.io/cloud/limits. */
export const maxCas = 16;
export const maxBundleBytes = 32 * 1024;
/** More than any CA takes that our issuers make (PEM; RSA 4096 with the longest names takes 2342). */
const largestCaBytes = 2560;

export interface BundleChange {
  readonly current: readonly CertificateFacts[];
  readonly add: readonly CertificateFacts[];
  readonly remove: readonly Fingerprint[];
  /** The same write changes filters: expired CAs leave in it, too, because one of them makes the server refuse it. */
  readonly withFilters?: boolean;
  readonly now: Date;
  /** Leaves that somebody uses, and the CAs of the bundle that they chain to. */
  readonly leavesInUse: readonly { readonly name: string; readonly chainsTo: readonly Fingerprint[] }[];
  /** Of the CAs that another one of them issued, which one that is. */
  readonly issuers: ReadonlyMap<Fingerprint, Fingerprint>;
}

export interface BundlePlan {
  /** The whole bundle to write: order kept, new ones last, no certificate twice. */
  readonly bundle: readonly CertificateFacts[];
  readonly added: readonly Fingerprint[];
  readonly removed: readonly Fingerprint[];
  /** Expired CAs that leave in the same write: one of them makes the server refuse every change. */
  readonly droppedExpired: readonly Fingerprint[];
}

/** What to write for a change of the bundle, or a refusal (RotationError WouldLockOut, BundleFull): then nothing is written. */
export function planBundle(change: BundleChange): BundlePlan {
  const { current, add, remove, now, withFilters = false } = change;
  const known = new Set(current.map((ca) => ca.fingerprint));
  const added = unique(add.filter((ca) => !known.has(ca.fingerprint) && !isExpired(ca, now)));
  const removed = current.filter((ca) => remove.includes(ca.fingerprint)).map((ca) => ca.fingerprint);
  const kept = unique(current).filter((ca) => !remove.includes(ca.fingerprint));
  const isWritten = withFilters || added.length + removed.length > 0;
  const expired = isWritten ? kept.filter((ca) => isExpired(ca, now)) : [];
  const bundle = [...kept.filter((ca) => !expired.includes(ca)), ...added];
  refuseLockOut(change, bundle);
  refuseOrphans(change, bundle);
  if (added.length > 0) refuseOverflow({ count: bundle.length, bytes: sizeOf(bundle) });
  return {
    bundle,
    added: added.map((ca) => ca.fingerprint),
    removed,
    droppedExpired: expired.map((ca) => ca.fingerprint),
  };
}

/** Before a CA is made: the bundle takes one more, without the expired ones, which leave in the same write. Throws BundleFull. */
export function refuseFullBundle(current: readonly CertificateFacts[], now: Date): void {
  const kept = unique(current).filter((ca) => !isExpired(ca, now));
  refuseOverflow({ count: kept.length + 1, bytes: sizeOf(kept) + largestCaBytes });
}

function refuseLockOut({ remove, leavesInUse, now }: BundleChange, bundle: readonly CertificateFacts[]): void {
  if (!bundle.some((ca) => isValidAt(ca, now))) {
    throw new RotationError('WouldLockOut', 'No valid CA would be left in the namespace.');
  }
  const users = leavesInUse.flatMap(({ name, chainsTo }) =>
    chainsTo.filter((ca) => remove.includes(ca)).map((ca) => `${name} (CA ${short(ca)})`),
  );
  if (users.length > 0) {
    const names = users.join(', ');
    throw new RotationError('WouldLockOut', `Still in use under the CA to be removed: ${names}.`);
  }
}

/** A bundle is edited as chains: who issued a CA that stays goes only with it or after it; alone, the server takes neither. */
function refuseOrphans({ current, issuers }: BundleChange, bundle: readonly CertificateFacts[]): void {
  const stays = new Set(bundle.map((ca) => ca.fingerprint));
  const leaves = new Set(current.map((ca) => ca.fingerprint).filter((ca) => !stays.has(ca)));
  for (const { fingerprint, subject } of bundle) {
    const issuer = issuers.get(fingerprint);
    if (issuer && leaves.has(issuer)) {
      throw new RotationError(
        'WouldLockOut',
        `CA ${short(fingerprint)} (${subject}) would be left without CA ${short(issuer)}, which issued it and goes only with or after it.`,
      );
    }
  }
}

/**
 * Of a bundle, or what a removal leaves of it: throws NewCaNotTrusted unless a valid one of `chain` is in it, the new CA and what is
 * above it. Somebody may have put back an older bundle.
 */
export function refuseDistrust(
  { namespace, bundle }: { readonly namespace: string; readonly bundle: readonly CertificateFacts[] },
  chain: readonly Fingerprint[],
  now: Date,
): void {
  if (admittedBy(bundle, chain, now)) return;
  throw new RotationError(
    'NewCaNotTrusted',
    `Nothing was removed: ${namespace} does not trust the new CA ${short(chain[0] ?? '')} any more.`,
  );
}

/** Throws WouldLockOut unless each of these leaves has a valid CA in what would be left. */
export function refuseStranded(
  leaves: BundleChange['leavesInUse'],
  bundle: readonly CertificateFacts[],
  now: Date,
): void {
  const stranded = leaves.filter(({ chainsTo }) => !admittedBy(bundle, chainsTo, now)).map(({ name }) => name);
  if (stranded.length > 0)
    throw new RotationError('WouldLockOut', `No CA that would be left admits the leaf of ${stranded.join(', ')}.`);
}

function admittedBy(bundle: readonly CertificateFacts[], anchors: readonly Fingerprint[], now: Date): boolean {
  return bundle.some((ca) => anchors.includes(ca.fingerprint) && isValidAt(ca, now));
}

function refuseOverflow({ count, bytes }: { count: number; bytes: number }): void {
  if (count <= maxCas && bytes <= maxBundleBytes) return;
  throw new RotationError('BundleFull', `The bundle would hold ${count} CAs in ${bytes} bytes; nothing was changed.`);
}

const sizeOf = (bundle: readonly CertificateFacts[]): number => bundle.reduce((sum, ca) => sum + ca.pem.length, 0);

function unique(cas: readonly CertificateFacts[]): readonly CertificateFacts[] {
  return cas.filter((ca, index) => cas.findIndex((other) => other.fingerprint === ca.fingerprint) === index);
}

/** The wanted filters, if every leaf in use or to come matches them; otherwise a refusal that names the leaf. */
export function planFilters({
  wanted,
  leaves,
}: {
  wanted: readonly CertificateFilter[];
  leaves: readonly FilteredLeaf[];
}): readonly CertificateFilter[] {
  if (wanted.length > maxFilters)
    throw new RotationError('WouldLockOut', `${wanted.length} filters; a namespace holds ${maxFilters}.`);
  const refused = leaves.filter((leaf) => !admits(wanted, leaf.certificate));
  if (refused.length > 0) {
    const names = refused.map((leaf) => `${leaf.name} (${leaf.certificate.subject})`).join(', ');
    throw new RotationError('WouldLockOut', `The filters would refuse ${names}.`);
  }
  return wanted;
}
