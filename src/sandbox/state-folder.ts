import { chmod, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeAtEnd } from './children.js';

/**
 * The folder given to `sandbox up`. Everything in it belongs to the process that claimed it, goes when that process ends,
 * and is for its user alone (safety 25).
 */
export interface StateFolder {
  /** For what the sandbox's parts write. */
  readonly state: string;
  /** Writes `sandbox.json`, whole or not at all. */
  publish(description: object): Promise<void>;
}

/** The folder cannot be used; the message says why and what to do. */
export class StateFolderError extends Error {}

const files = { owner: 'sandbox.pid', description: 'sandbox.json', state: 'state' } as const;

/** Makes the folder this process's own. What a sandbox that ended by force left in it is removed first. */
export async function claimStateFolder(dir: string): Promise<StateFolder> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const foreign = (await readdir(dir)).filter((name) => !(Object.values(files) as string[]).includes(name));
  if (foreign.length > 0)
    throw new StateFolderError(`${dir} holds other files (${foreign[0]}): name a new or empty folder`);
  await writeOwner(dir);
  for (const name of Object.values(files)) removeAtEnd(join(dir, name));
  await chmod(dir, 0o700);
  const state = join(dir, files.state);
  await mkdir(state, { mode: 0o700 });
  return {
    state,
    async publish(description) {
      const next = join(state, files.description);
      await writeFile(next, `${JSON.stringify(description, null, 2)}\n`, { mode: 0o600 });
      await rename(next, join(dir, files.description));
    },
  };
}

async function writeOwner(dir: string): Promise<void> {
  try {
    await writeFile(join(dir, files.owner), `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
  } catch {
    const owner = await ownerOf(dir);
    if (owner !== undefined)
      throw new StateFolderError(
        `a sandbox runs in ${dir} as process ${owner}: end it with \`cert-rotation sandbox down --state ${dir}\``,
      );
    await clearStateFolder(dir);
    await writeFile(join(dir, files.owner), `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
  }
}

/** Process that holds the sandbox in that folder, starting or up; undefined when none does. */
export async function ownerOf(dir: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(dir, files.owner), 'utf8').catch(() => '0'));
  return pid > 0 && (await isSandbox(pid)) ? pid : undefined;
}

/** Was a sandbox ever started here, and not cleaned up? */
export async function isStateFolder(dir: string): Promise<boolean> {
  const names: readonly string[] = await readdir(dir).catch(() => []);
  return names.includes(files.owner) || names.includes(files.description);
}

export async function clearStateFolder(dir: string): Promise<void> {
  for (const name of Object.values(files).toReversed()) await rm(join(dir, name), { recursive: true, force: true });
}

/** A process id is used again after a while: where the system shows command lines, they decide. */
async function isSandbox(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (commandLine === undefined) return true;
  const args = commandLine.split('\0');
  return args.includes('sandbox') && args.includes('up');
}
