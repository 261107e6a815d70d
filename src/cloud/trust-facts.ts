import type { AuditFacts } from '../domain/audit.js';
import { sameFilters } from '../domain/filters.js';
import { sameBundle } from './change.js';
import type { NamespaceTrust, TrustChange, WantedTrust } from './cloud.js';

/** What goes on record of a change that was made. */
export function trustFacts(namespace: string, { before, after, operationId }: TrustChange): AuditFacts {
  return { ...changeOf(namespace, before, after), ...(operationId && { operationId }) };
}

/** What goes on record of a change that is wanted; undefined where nothing is to be changed. */
export function wantedFacts(namespace: string, current: NamespaceTrust, wanted: WantedTrust): AuditFacts | undefined {
  const isThere = sameBundle(current.bundle, wanted.bundle) && sameFilters(current.filters, wanted.filters);
  return isThere ? undefined : changeOf(namespace, current, wanted);
}

/** What goes on record of a change that is there already. */
export function trustFound(current: NamespaceTrust): AuditFacts {
  return { event: 'trustChanged', subject: `namespace/${current.namespace}`, after: trustOf(current) };
}

function changeOf(namespace: string, before: WantedTrust, after: WantedTrust): AuditFacts {
  return { event: 'trustChanged', subject: `namespace/${namespace}`, before: trustOf(before), after: trustOf(after) };
}

const trustOf = ({ bundle, filters }: WantedTrust) => ({ bundle: bundle.map((ca) => ca.fingerprint), filters });
