import { spawnChild } from '../children.js';

interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What a person does when the program is not installed. */
  readonly missing: string;
}

const lastLines = 20;

/** Runs a program to its end and returns its output. Build tools need the user's own environment (proxies, caches, PATH). */
export function run(command: string, args: readonly string[], { cwd, env, missing }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawnChild(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error(`${command} is needed and not installed. ${missing}`) : error),
    );
    child.once('close', (code) => {
      const end = output.trimEnd().split('\n').slice(-lastLines).join('\n');
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args[0] ?? ''} failed (exit code ${code}):\n${end}`));
    });
  });
}
