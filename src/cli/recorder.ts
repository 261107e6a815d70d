import { Journal } from '../audit-journal.js';
import type { AuditFacts } from '../domain/audit.js';

/** Whose change it is, as they claim, and with what configuration. */
export interface By {
  readonly who?: string | undefined;
  readonly why?: string | undefined;
  /** Its digest; absent where it is done without one. */
  readonly configuration?: string | undefined;
}

/** Puts on record what a command changes without a workflow: lines of standard error, to be kept with the worker's log. */
export function recorder({ who, why, configuration }: By): (facts: AuditFacts) => void {
  const journal = new Journal((event) => console.error(JSON.stringify({ audit: event })));
  const by = { ...(who && { who, identity: 'claimed' as const }), ...(why && { why }) };
  return (facts) => journal.write({ ...facts, ...by, ...(configuration && { configuration }) });
}
