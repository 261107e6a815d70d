import { createHash } from 'node:crypto';
import type { WantedTrust } from './cloud.js';

export interface OperationIdParts {
  readonly generation: string;
  readonly namespace: string;
  readonly wanted: WantedTrust;
  /** The version that the change was decided on: a CA that comes back (an undo) is another operation. */
  readonly resourceVersion: string;
  /** Ids of operations for the same change that ended badly: each retry after one is a new operation. */
  readonly failed: readonly string[];
}

/** The same intent on the same state is the same operation, however often it is sent (safety 10). 40 hex digits. */
export function operationId({ generation, namespace, wanted, resourceVersion, failed }: OperationIdParts): string {
  const bundle = wanted.bundle.map((ca) => ca.fingerprint).sort();
  const parts = [generation, namespace, bundle, wanted.filters, resourceVersion, failed];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}
