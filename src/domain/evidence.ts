import { isExpired, type CertificateFacts, type Fingerprint } from './certificate.js';
import type { UnknownClient } from './clients.js';
import { sameFilters, type CertificateFilter } from './filters.js';

/** What `confirm` gathers and `removeCa` gathers again. */
export interface Evidence {
  /** Every known target is proved to be on the new CA. */
  readonly complete: boolean;
  /** One line per target holder: what is proved, or what is missing. */
  readonly lines: readonly string[];
  readonly missing: readonly string[];
  /** Pollers of the targets' task queues that belong to no known target: `identity (queue), last polled <RFC 3339>`. */
  readonly unknownPollers: readonly string[];
  /** Clients that do not poll and belong to nobody known. Absent in what earlier versions gathered. */
  readonly unknownClients?: readonly UnknownClient[];
  /** What an approval is bound to, a line each. */
  readonly facts: readonly string[];
  /** SHA-256 of the facts. */
  readonly digest: string;
  /** RFC 3339: told apart from the same evidence, gathered again. Absent in what earlier versions gathered. */
  readonly gatheredAt?: string;
  /** RFC 3339; pollers count that were seen since. Absent: for as long as a soak. */
  readonly quietSince?: string;
}

/**
 * What an approval is bound to (safety 40). Neither fingerprints of leaves nor times are in it: a leaf that is renewed under
 * the new CA voids no approval. Nor are clients that do not poll: who is seen of them is a sample, another one each time.
 */
export interface EvidenceFacts {
  readonly namespaces: readonly TrustFacts[];
  /** The CA that signed the leaf in each target; undefined: none of this authority. */
  readonly issuers: ReadonlyMap<string, Fingerprint | undefined>;
  /** `identity (queue)`. */
  readonly unknownPollers: readonly string[];
  readonly configDigest: string;
}

export interface TrustFacts {
  readonly namespace: string;
  readonly bundle: readonly Pick<CertificateFacts, 'fingerprint'>[];
  readonly filters: readonly CertificateFilter[];
}

/** One line per fact, for a person; always in the same order. The digest of the evidence is that of these lines. */
export function factLines(facts: EvidenceFacts): readonly string[] {
  const { namespaces, issuers, unknownPollers, configDigest } = facts;
  const lines = [
    ...namespaces.flatMap(trustLines),
    ...[...issuers].map(
      ([target, ca]) => `target ${target} has a leaf of ${ca ? `CA ${ca}` : 'no CA of the authority'}`,
    ),
    ...unknownPollers.map((poller) => `${pollerPrefix}${poller} belongs to no known target`),
    `configuration ${configDigest}`,
  ];
  return [...new Set(lines)].sort();
}

const pollerPrefix = 'poller ';
const prefixOf = (namespace: string): string => `namespace ${namespace} `;

function trustLines({ namespace, bundle, filters }: TrustFacts): readonly string[] {
  return [
    ...bundle.map(({ fingerprint }) => trustLine(namespace, fingerprint)),
    ...filters.map((filter) => `${prefixOf(namespace)}has filter ${filterText(filter)}`),
  ];
}

const trustLine = (namespace: string, ca: Fingerprint): string => `${prefixOf(namespace)}trusts CA ${ca}`;

/** Did the namespace trust the CA when these facts were read? */
export function trustedThen(facts: readonly string[], namespace: string, ca: Fingerprint): boolean {
  return facts.includes(trustLine(namespace, ca));
}

/** Fields in a fixed order and without case, as filters match. */
function filterText(filter: CertificateFilter): string {
  const fields = Object.entries(filter).filter(([, value]) => value);
  return fields
    .map(([field, value]) => `${field}=${String(value).toLowerCase()}`)
    .sort()
    .join(',');
}

/**
 * How the facts differ from those that were approved; empty: not at all. A stranger that polls no longer is no difference.
 * @param changedByUs namespaces that this rotation has changed since: what they trust now is its own doing.
 */
export function changedFacts(
  approved: readonly string[],
  now: readonly string[],
  changedByUs: readonly string[] = [],
): readonly string[] {
  const counts = (line: string) => !changedByUs.some((namespace) => line.startsWith(prefixOf(namespace)));
  const come = now.filter((line) => !approved.includes(line) && counts(line));
  const gone = approved.filter((line) => !now.includes(line) && counts(line) && !line.startsWith(pollerPrefix));
  return [...come.map((line) => `new: ${line}`), ...gone.map((line) => `no longer: ${line}`)];
}

/** How what the namespaces trust differs from the facts, their filters included; empty: not at all. */
export function changedTrust(facts: readonly string[], namespaces: readonly TrustFacts[]): readonly string[] {
  const ofNamespaces = facts.filter((line) => line.startsWith('namespace '));
  return changedFacts(ofNamespaces, namespaces.flatMap(trustLines));
}

/** Only strangers differ: pods that a renewal has just replaced are listed for a while, too. */
export function onlyPollersCame(changes: readonly string[]): boolean {
  return changes.every((line) => line.startsWith(`new: ${pollerPrefix}`));
}

interface Trust {
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
}

/**
 * What others changed between `before` and `current`, a line each: beside our own change, which takes `leaving` out, sets the
 * `wanted` filters, and drops expired CAs.
 */
export function changedByOthers(
  before: Trust & Pick<TrustFacts, 'namespace'>,
  current: Trust,
  ours: { readonly leaving: readonly Fingerprint[]; readonly wanted: readonly CertificateFilter[]; readonly now: Date },
): readonly string[] {
  const { namespace } = before;
  const isOurs = [before.filters, ours.wanted].some((filters) => sameFilters(filters, current.filters));
  const others = ({ bundle, filters }: Trust) =>
    trustLines({
      namespace,
      bundle: bundle.filter((ca) => !ours.leaving.includes(ca.fingerprint) && !isExpired(ca, ours.now)),
      filters: isOurs ? [] : filters,
    });
  return changedFacts(others(before), others(current));
}
