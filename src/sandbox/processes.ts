import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { killGroup, sandboxEnvironment, spawnChild } from './children.js';

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the allow-list; nothing else of this process's environment is passed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Takes standard output and error; mode 0600. */
  readonly logFile: string;
  readonly ready?: () => Promise<boolean>;
  readonly deadlineMs?: number;
}

export interface RunningProcess {
  readonly pid: number;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  /** SIGTERM, then SIGKILL after the grace; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts a process and waits until it is ready. On failure it is ended, and the error holds the end of its log. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawnChild(options.command, options.args, {
    env: sandboxEnvironment(options.env),
    // The pipe ends when this process does, however it ends: who watches its standard input ends, too.
    stdio: ['pipe', log, log],
    ...(options.cwd && { cwd: options.cwd }),
  });
  closeSync(log);
  const running = track(child);
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined);
  try {
    await Promise.race([untilReady(options, running), failed]);
  } catch (error) {
    await running.stop(0);
    throw new Error(`${options.name} did not start: ${(error as Error).message}\n${tail(options.logFile)}`, {
      cause: error,
    });
  }
  return running;
}

function track(child: ChildProcess): RunningProcess {
  let over = false;
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', () => resolve('not started'));
  });
  void exited.then(() => (over = true));
  return {
    pid: child.pid ?? 0,
    exited,
    async stop(graceMs = 5000) {
      if (over) return;
      child.kill('SIGTERM');
      const gone = await Promise.race([exited.then(() => true), wait(graceMs, false, { ref: false })]);
      if (!gone) killGroup(child);
      await exited;
    },
  };
}

async function untilReady({ ready, deadlineMs = 60_000 }: ProcessOptions, { exited }: RunningProcess): Promise<void> {
  if (!ready) return;
  const ended = exited.then((how) => {
    throw new Error(`it ended at once (${how})`);
  });
  const deadline = Date.now() + deadlineMs;
  const poll = async () => {
    while (!(await ready().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`it is not ready after ${deadlineMs / 1000} s`);
      await wait(50);
    }
  };
  await Promise.race([poll(), ended]);
}

export function tail(logFile: string, lines = 15): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Things to stop, newest first. One that fails to stop does not keep the others running. */
export class StopStack {
  readonly #stops: (() => Promise<void>)[] = [];

  push<T extends { stop(): Promise<void> }>(thing: T): T {
    this.#stops.push(() => thing.stop());
    return thing;
  }

  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (let stop = this.#stops.pop(); stop; stop = this.#stops.pop())
      await stop().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything of the sandbox could be stopped');
  }
}

/** Where `start` fails, all that it has pushed by then is stopped first. */
export async function startedWhole<T>(start: (stack: StopStack) => Promise<T>): Promise<T> {
  const stack = new StopStack();
  try {
    return await start(stack);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
