import { createHash } from 'node:crypto';
import type { CertificateFilter } from '../domain/filters.js';
import type { WantedTrust } from './cloud.js';

export interface OperationIdParts {
  readonly generation: string;
  readonly namespace: string;
  readonly wanted: WantedTrust;
  /** The version that the change was decided on: a CA that comes back (an undo) is another operation. */
  readonly resourceVersion: string;
  /** Ids of operations for the same change that ended without it: each retry after one is a new operation. */
  readonly dead: readonly string[];
}

/** The same intent on the same state is the same operation, however often it is sent (safety 10). 40 hex digits. */
export function operationId({ generation, namespace, wanted, resourceVersion, dead }: OperationIdParts): string {
  const bundle = wanted.bundle.map((ca) => ca.fingerprint).sort();
  const filters = wanted.filters.map(canonical).sort();
  const parts = [generation, namespace, bundle, filters, resourceVersion, dead];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}

/** Filters come from a file, from the server or from a history: the order of their fields says nothing. */
function canonical(filter: CertificateFilter): string {
  const { commonName, organization, organizationalUnit, subjectAlternativeName } = filter;
  return JSON.stringify([commonName, organization, organizationalUnit, subjectAlternativeName]);
}
