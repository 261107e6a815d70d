import type { AuditFacts } from '../domain/audit.js';
import type { NamespaceTrust, TrustChange } from './cloud.js';

/** What goes on record of a change; undefined where nothing was changed. */
export function trustFacts(namespace: string, change: TrustChange): AuditFacts | undefined {
  const { changed, before, after, operationId } = change;
  if (!changed) return undefined;
  return {
    event: 'trustChanged',
    subject: `namespace/${namespace}`,
    before: trustOf(before),
    after: trustOf(after),
    ...(operationId && { operationId }),
  };
}

const trustOf = ({ bundle, filters }: NamespaceTrust) => ({ bundle: bundle.map((ca) => ca.fingerprint), filters });
