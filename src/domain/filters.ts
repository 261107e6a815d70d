import type { CertificateFacts } from './certificate.js';

/** A certificate filter of a namespace (CertificateFilterSpec). All given fields must match; any filter suffices. */
export interface CertificateFilter {
  readonly commonName?: string | undefined;
  readonly organization?: string | undefined;
  readonly organizationalUnit?: string | undefined;
  readonly subjectAlternativeName?: string | undefined;
}

/** The names of a leaf that filters look at. */
export type FilteredNames = Pick<
  CertificateFacts,
  'commonNames' | 'organizations' | 'organizationalUnits' | 'subjectAlternativeNames'
>;

/** A leaf that filters judge, with what a person needs to find it. */
export interface FilteredLeaf {
  readonly name: string;
  readonly certificate: FilteredNames & Pick<CertificateFacts, 'subject'>;
}

/** Filters per namespace: docs.temporal.io/cloud/certificates. */
export const maxFilters = 25;

/**
 * Would Temporal Cloud let this leaf in? No filters admit every leaf. Matching is case-insensitive and exact but for one
 * `*` at the beginning or the end, which stands for any text, the empty one included.
 */
export function admits(filters: readonly CertificateFilter[], leaf: FilteredNames): boolean {
  return filters.length === 0 || filters.some((filter) => matches(filter, leaf));
}

/** Everything that `before` admits, `after` admits too. Decided by the lists alone, so `false` may be over-careful. */
export function widens(before: readonly CertificateFilter[], after: readonly CertificateFilter[]): boolean {
  if (after.length === 0) return true;
  return before.length > 0 && before.every((filter) => after.some((other) => sameFilter(filter, other)));
}

/** The same filters, whatever their order and however often one is there. */
export function sameFilters(a: readonly CertificateFilter[], b: readonly CertificateFilter[]): boolean {
  const within = (some: readonly CertificateFilter[], all: readonly CertificateFilter[]) =>
    some.every((filter) => all.some((other) => sameFilter(filter, other)));
  return within(a, b) && within(b, a);
}

/**
 * What a removal that set the `wanted` filters, if there are any, goes back to: those from before it, where it set them and nobody
 * has changed them since; otherwise somebody else's, which stay.
 */
export function filtersBefore(
  wanted: readonly CertificateFilter[] | undefined,
  current: readonly CertificateFilter[],
  before: readonly CertificateFilter[],
): readonly CertificateFilter[] {
  return sameFilters(current, wanted ?? before) ? before : current;
}

/** Admits whomever either list admits. */
export function admittingBoth(
  a: readonly CertificateFilter[],
  b: readonly CertificateFilter[],
): readonly CertificateFilter[] {
  if (a.length === 0 || b.length === 0) return [];
  return [...a, ...b.filter((filter) => !a.some((other) => sameFilter(filter, other)))];
}

/** In the four fields that are known. */
export function sameFilter(a: CertificateFilter, b: CertificateFilter): boolean {
  return fields.every((field) => (a[field] ?? '').toLowerCase() === (b[field] ?? '').toLowerCase());
}

const fields = ['commonName', 'organization', 'organizationalUnit', 'subjectAlternativeName'] as const;

function matches(filter: CertificateFilter, leaf: FilteredNames): boolean {
  const values = {
    commonName: leaf.commonNames,
    organization: leaf.organizations,
    organizationalUnit: leaf.organizationalUnits,
    subjectAlternativeName: leaf.subjectAlternativeNames,
  };
  const given = fields.filter((field) => filter[field]);
  return (
    given.length > 0 && given.every((field) => values[field].some((value) => matchesPattern(filter[field]!, value)))
  );
}

function matchesPattern(pattern: string, value: string): boolean {
  const wanted = pattern.toLowerCase();
  const actual = value.toLowerCase();
  if (wanted.startsWith('*')) return actual.endsWith(wanted.slice(1));
  if (wanted.endsWith('*')) return actual.startsWith(wanted.slice(0, -1));
  return actual === wanted;
}
