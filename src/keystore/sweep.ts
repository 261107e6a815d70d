import type { Keystore } from './keystore.js';

/** Removes what rotations left behind: entries past their expiry. Returns their names. */
export async function sweepKeystore(keystore: Keystore, now: Date): Promise<readonly string[]> {
  const overdue = (await keystore.list('')).filter(
    (entry) => entry.expiresAt && Date.parse(entry.expiresAt) <= now.getTime(),
  );
  for (const { name } of overdue) await keystore.delete(name);
  return overdue.map(({ name }) => name);
}
