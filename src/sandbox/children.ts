import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/**
 * What a child of the sandbox may inherit. No KUBECONFIG, no TEMPORAL_*, no cloud credentials, no HOME: the sandbox can never
 * reach a real cluster or account (safety 25).
 */
export function sandboxEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const allowed = ['PATH', 'LANG', 'TZ', 'TMPDIR'];
  const inherited = allowed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...(Object.fromEntries(inherited) as Record<string, string>), ...extra };
}

const live = new Set<ChildProcess>();
const paths = new Set<string>();

/**
 * Starts a program that ends when this process does, however this process ends. It leads a process group of its own, so that
 * Ctrl-C in a terminal reaches only us, and what it started itself ends with it.
 */
export function spawnChild(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { ...options, detached: true });
  const { pid } = child;
  if (pid === undefined) return child;
  live.add(child);
  tellWatchdog(`+group ${pid}`);
  child.once('exit', () => {
    live.delete(child);
    tellWatchdog(`-group ${pid}`);
  });
  return child;
}

/** SIGKILL for a child and what it started. */
export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Removes the file or folder when this process ends, however it ends. Returns what takes that back. */
export function removeAtEnd(path: string): () => void {
  paths.add(path);
  tellWatchdog(`+path ${path}`);
  return () => {
    paths.delete(path);
    tellWatchdog(`-path ${path}`);
  };
}

process.on('exit', () => {
  for (const child of live) killGroup(child);
  for (const path of paths) rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

let watchdog: ChildProcess | undefined;

/** Its own session, so that no signal of the terminal reaches it; it never keeps this process alive. */
function tellWatchdog(line: string): void {
  if (!watchdog) {
    const program = fileURLToPath(new URL('../../sandbox/watchdog.js', import.meta.url));
    const stdio: SpawnOptions['stdio'] = ['pipe', 'ignore', 'ignore'];
    watchdog = spawn(process.execPath, [program], { detached: true, stdio, env: sandboxEnvironment({}) });
    watchdog.unref();
    (watchdog.stdin as Socket).unref();
    // Whoever ended the watchdog is not obeyed by ending the sandbox: its processes still end with ours on every other way.
    watchdog.stdin!.on('error', () => undefined);
  }
  watchdog.stdin!.write(`${line}\n`);
}
