import { readFile, readdir, readlink } from 'node:fs/promises';

/** A process, told apart from a later one with the same id. */
export interface Seen {
  readonly pid: number;
  /** Clock ticks since boot (proc(5), field 22). */
  readonly startedAt: string;
}

interface Stat extends Seen {
  readonly parent: number;
  readonly state: string;
}

/** What `root` started, and what that started in turn. */
export async function descendantsOf(root: number): Promise<readonly Seen[]> {
  const all = await processes();
  const found = new Set([root]);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  found.delete(root);
  return all.filter(({ pid }) => found.has(pid)).map(({ pid, startedAt }) => ({ pid, startedAt }));
}

/** Those that still run; a zombie, which only waits for its parent to look, does not. */
export async function running(seen: readonly Seen[]): Promise<readonly string[]> {
  const all = new Map((await processes()).map((process) => [`${process.pid} ${process.startedAt}`, process]));
  const left = seen.filter(
    ({ pid, startedAt }) => !['Z', 'X', undefined].includes(all.get(`${pid} ${startedAt}`)?.state),
  );
  return Promise.all(left.map(async ({ pid }) => `${pid} ${await commandLine(pid)}`));
}

export async function commandLine(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
}

/** Where it listens, on loopback (proc(5), /proc/net/tcp); nothing when it has ended. */
export async function listeningPorts(pid: number): Promise<readonly number[]> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  const sockets = new Set(links);
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8').catch(() => '')).trim().split('\n').slice(1);
  return rows.flatMap((row) => {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/);
    return state === '0A' && sockets.has(`socket:[${inode}]`) ? [Number.parseInt(local!.split(':')[1]!, 16)] : [];
  });
}

/** Remembers every descendant of `root` that it sees, until stopped. */
export function watchDescendants(root: number): { readonly seen: readonly Seen[]; stop(): void } {
  const seen = new Map<string, Seen>();
  const look = async (): Promise<void> => {
    for (const process of await descendantsOf(root)) seen.set(`${process.pid} ${process.startedAt}`, process);
  };
  const timer = setInterval(() => void look().catch(() => undefined), 100);
  return {
    get seen() {
      return [...seen.values()];
    },
    stop: () => clearInterval(timer),
  };
}

async function processes(): Promise<readonly Stat[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.flatMap((stat, index) => {
    if (stat === '') return [];
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [{ pid: Number(pids[index]), state: fields[0]!, parent: Number(fields[1]), startedAt: fields[19]! }];
  });
}
