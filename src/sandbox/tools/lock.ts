import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { removeAtEnd } from '../children.js';

/** One builder at a time; a lock whose owner is gone is taken over. */
export async function withLock(
  lock: string,
  progress: (line: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  for (let told = false; !(await taken(lock)); told = true) {
    const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (!isAlive(owner)) await rm(lock, { force: true });
    else if (!told) progress(`waiting for process ${owner}, which prepares the same tool`);
    await wait(500);
  }
  const keep = removeAtEnd(lock);
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
    keep();
  }
}

/** The lock appears with its owner in it: nobody reads it half written. */
async function taken(lock: string): Promise<boolean> {
  const own = `${lock}.${process.pid}`;
  await writeFile(own, String(process.pid));
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(own, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}
