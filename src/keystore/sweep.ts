import type { Keystore } from './keystore.js';

/**
 * Removes what rotations left behind: entries past their expiry whose owner does not run any more (a rotation that waits
 * still needs its pairs). Returns their names.
 */
export async function sweepKeystore(
  keystore: Keystore,
  now: Date,
  isRunning: (workflowId: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const { name, owner, expiresAt } of await keystore.list('')) {
    const overdue = expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();
    if (!overdue || (await isRunning(owner))) continue;
    await keystore.delete(name);
    swept.push(name);
  }
  return swept;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface Sweeping {
  readonly isRunning: (workflowId: string) => Promise<boolean>;
  readonly log: Log;
  readonly everyMs?: number;
}

/** Sweeps now and every day, as long as this process lives. A failure is logged: the next sweep tries again. */
export function keepSwept(keystore: Keystore, { isRunning, log, everyMs = 86_400_000 }: Sweeping): void {
  const sweep = () =>
    sweepKeystore(keystore, new Date(), isRunning).then(
      (entries) => entries.length > 0 && log.info({ entries }, 'keystore entries past their expiry removed'),
      (error: Error) => log.warn({ reason: error.message }, 'keystore not swept'),
    );
  void sweep();
  setInterval(() => void sweep(), everyMs).unref();
}
