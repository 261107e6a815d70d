import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { RotationError } from './domain/failures.js';

/** No program of somebody else is given longer: what is older was left behind. */
const abandonedAfterMs = 10 * 60_000;

/** The folders that this process works in now. */
const live = new Set<string>();
process.on('exit', () => live.forEach(remove));

/** All folders with keys lie under it, so that there is one place to sweep (safety 7). One per user. */
export function temporaryRoot(): string {
  return join(tmpdir(), `cert-rotation-${userInfo().uid}`);
}

/**
 * Gives `work` a folder of mode 0700 for the files that a program of somebody else reads and writes, keys among them, and
 * removes it whatever happens. A process that is killed leaves it to `sweepTemporaryFolders`. Throws `TemporaryRootUnsafe`.
 */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const root = await safeRoot();
  const folder = join(root, `${process.pid}-${randomBytes(8).toString('hex')}`);
  await mkdir(folder, { mode: 0o700 });
  live.add(folder);
  try {
    return await work(folder);
  } finally {
    remove(folder);
    live.delete(folder);
  }
}

/** Removes the folders of processes that are gone, and of those that had this process's id before it. Called at the start. */
export async function sweepTemporaryFolders(): Promise<readonly string[]> {
  const root = await safeRoot();
  const swept: string[] = [];
  for (const name of await readdir(root)) {
    const folder = join(root, name);
    if (live.has(folder) || !(await isAbandoned(folder, Number(name.split('-')[0])))) continue;
    await rm(folder, { recursive: true, force: true });
    swept.push(folder);
  }
  return swept;
}

async function isAbandoned(folder: string, owner: number): Promise<boolean> {
  if (owner === process.pid || !isAlive(owner)) return true;
  const found = await lstat(folder).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedAfterMs;
}

/** Somebody else's folder of that name, or a link to one, must not get our keys. */
async function safeRoot(): Promise<string> {
  const root = temporaryRoot();
  await mkdir(root, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    throw new RotationError('TemporaryRootUnsafe', `${root} cannot be made (${error.code}); no key was written.`);
  });
  const found = await lstat(root);
  if (found.uid !== userInfo().uid || (found.mode & 0o077) !== 0)
    throw new RotationError('TemporaryRootUnsafe', `${root} is not for this user only; no key was written.`);
  return root;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
