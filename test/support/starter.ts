import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A program of the package, built, as a person's shell runs it. */
export function spawnProgram(name: string, args: readonly string[], env: Environment): ChildProcess {
  const program = fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url));
  return spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The built `cert-rotation`. */
export function spawnStarter(args: readonly string[], env: Environment): ChildProcess {
  return spawnProgram('starter', args, env);
}

export async function runStarter(args: readonly string[], env: Environment = process.env): Promise<Ran> {
  return ended(spawnStarter(args, env));
}

/** Collects what a program prints until it ends. */
export function ended(child: ChildProcess): Promise<Ran> {
  const printed = { stdout: '', stderr: '' };
  child.stdout!.on('data', (chunk: Buffer) => (printed.stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (printed.stderr += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...printed })));
}
