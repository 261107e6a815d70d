import { createHash, randomUUID } from 'node:crypto';
import { firstOfChain, type AuditContext, type AuditEvent, type AuditFacts, type Chained } from './domain/audit.js';

/** The entry with the hash that seals it, and with it everything before. */
export function sealed<Entry extends Omit<Chained, 'hash'>>(entry: Entry): Entry & Chained {
  return { ...entry, hash: createHash('sha256').update(JSON.stringify(entry)).digest('hex') };
}

/** Where the chain breaks, in words; undefined where it does not. Entries in their order. */
export function brokenLink(entries: readonly Chained[]): string | undefined {
  let previous = firstOfChain;
  for (const [index, entry] of entries.entries()) {
    const { hash, ...rest } = entry;
    if (entry.previous !== previous) return `entry ${index + 1} does not follow the one before it`;
    if (sealed(rest).hash !== hash) return `entry ${index + 1} was changed`;
    previous = hash;
  }
  return undefined;
}

/** The audit events of one process, appended to a log. */
export class Journal {
  readonly #append: (event: AuditEvent) => void;
  readonly #stream = randomUUID();
  #sequence = 0;
  #previous = firstOfChain;

  constructor(append: (event: AuditEvent) => void) {
    this.#append = append;
  }

  write(facts: AuditFacts & AuditContext): void {
    this.#sequence += 1;
    const at = new Date().toISOString();
    const place = { stream: this.#stream, sequence: this.#sequence, previous: this.#previous };
    const event = sealed({ version: 1 as const, at, ...facts, ...place });
    this.#previous = event.hash;
    this.#append(event);
  }
}
