import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RotationError } from './domain/failures.js';

/**
 * The one way in which this system runs a program of somebody else (tcld, certstrap, the Temporal CLI):
 *
 * - An absolute path, never a search; where a SHA-256 is configured, the file has it (safety 26). An argument list, never a
 *   shell (safety 24).
 * - Standard input ends, at once or after `input`, so that a prompt ends the program instead of holding it up.
 * - The environment is made of an allow-list: nothing of a person's configuration is inherited, and there is no HOME to read
 *   it from. Secrets travel in `env`, `input` or a file, never in `args`, which every user of the machine can read.
 * - A deadline, an abort signal and a limit for the output. Whatever the end, no descendant is left.
 * - One error, CommandError, with the secrets and every private key taken out of its texts.
 */
export interface Command {
  readonly program: Program;
  readonly args: readonly string[];
  /** Added to the allow-list. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input: the answers to its prompts. */
  readonly input?: string;
  /** Default: `/`. */
  readonly cwd?: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Texts that no error may hold: the API key, a passphrase. */
  readonly secrets?: readonly string[];
}

export interface Program {
  /** Absolute path. */
  readonly path: string;
  /** Lower-case hex SHA-256 that the file must have. */
  readonly sha256?: string | undefined;
}

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command did not succeed. Texts are redacted. */
export class CommandError extends Error {
  /**
   * `missing`: no executable file is there. `mismatch`: its SHA-256 is another one. `exit`: it ended with a code other than 0
   * or by a signal. `deadline`: it took too long. `output`: it wrote too much. The last three were begun and may have had an
   * effect.
   */
  readonly kind: 'missing' | 'mismatch' | 'exit' | 'deadline' | 'output';
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;

  constructor(
    kind: CommandError['kind'],
    message: string,
    details: { exitCode?: number | null } & Partial<CommandOutput> = {},
  ) {
    super(message);
    this.name = 'CommandError';
    this.kind = kind;
    this.exitCode = details.exitCode ?? undefined;
    this.stdout = details.stdout ?? '';
    this.stderr = details.stderr ?? '';
  }
}

/** What a program needs to reach the network as this process does, and to write times and texts like it. */
const inherited = [
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
];
const maxOutputBytes = 8 * 1024 * 1024;
const maxSaidCharacters = 16 * 1024;

/** Runs a program to its end. Throws CommandError, or the signal's reason when it was aborted. */
export async function runCommand(command: Command): Promise<CommandOutput> {
  const { program, args, env = {}, input, cwd = '/', signal } = command;
  signal?.throwIfAborted();
  await verify(program);
  const child = spawn(program.path, args, {
    cwd,
    env: { ...allowed(), ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // A process group of its own: it is ended with everything that it has started.
    detached: true,
  });
  live.add(child);
  // A program that ends without reading breaks the pipe; what it said tells why.
  child.stdin?.on('error', () => undefined).end(input);
  try {
    return await ended(child, command);
  } finally {
    killGroup(child);
    live.delete(child);
  }
}

/** A program that goes on. */
export interface StartedProgram {
  /** What it wrote last; redacted of private keys. */
  readonly said: () => string;
  /** Resolves when it is gone, by itself or not. */
  readonly gone: Promise<void>;
  /** With everything that it has started. */
  stop(): Promise<void>;
}

/** Starts a program that goes on until it is stopped or this process ends. Throws CommandError where it must not be run. */
export async function startProgram({
  program,
  args,
  env = {},
  cwd = '/',
}: Pick<Command, 'program' | 'args' | 'env' | 'cwd'>): Promise<StartedProgram> {
  await verify(program);
  const child = spawn(program.path, args, {
    cwd,
    env: { ...allowed(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  live.add(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-maxSaidCharacters)));
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      said += error.message;
      resolve();
    });
  });
  void gone.then(() => live.delete(child));
  return {
    said: () => lastLines(redacted(said, [])),
    gone,
    async stop() {
      killGroup(child);
      await gone;
    },
  };
}

/** The failure that stands for a CommandError whose output the caller cannot explain. */
export function commandFailure(what: string, error: unknown): RotationError {
  if (error instanceof RotationError) return error;
  if (!(error instanceof CommandError)) throw error;
  const types = {
    missing: 'ToolMissing',
    mismatch: 'ToolUnsuitable',
    exit: 'ToolFailed',
    deadline: 'ToolTimedOut',
    output: 'ToolFailed',
  } as const;
  return new RotationError(types[error.kind], `${what}: ${error.message}`);
}

const live = new Set<ChildProcess>();
process.on('exit', () => live.forEach(killGroup));

function ended(
  child: ChildProcess,
  { program, args, deadlineMs, signal, secrets = [] }: Command,
): Promise<CommandOutput> {
  const output = { stdout: '', stderr: '' };
  const name = [basename(program.path), ...args.filter((arg) => /^[a-z][a-z-]*$/.test(arg)).slice(0, 3)].join(' ');
  return new Promise((resolve, reject) => {
    const fail = (kind: CommandError['kind'], how: string, exitCode?: number | null) => {
      const [stdout, stderr] = [redacted(output.stdout, secrets), redacted(output.stderr, secrets)];
      const said = lastLines(stderr || stdout);
      const message = `${name} ${how}${said && `: ${said}`}`;
      reject(new CommandError(kind, message, { stdout, stderr, ...(exitCode !== undefined && { exitCode }) }));
    };
    const abort = () => reject(signal!.reason as Error);
    const timer = setTimeout(
      () => fail('deadline', `has not ended in ${deadlineMs / 1000} s and was ended`),
      deadlineMs,
    );
    signal?.addEventListener('abort', abort, { once: true });
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]!.setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text;
        if (output[stream].length > maxOutputBytes) fail('output', 'wrote more than 8 MB and was ended');
      });
    }
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    child.once('error', (error) => {
      done();
      fail('missing', `cannot be run (${(error as NodeJS.ErrnoException).code})`);
    });
    // Descendants that live on hold the pipes open, and with them the end of the output.
    child.once('exit', () => killGroup(child));
    child.once('close', (code, signalName) => {
      done();
      if (code === 0) resolve(output);
      else fail('exit', code === null ? `was ended by ${signalName}` : `failed with exit code ${code}`, code);
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Nobody of the group is left; macOS says EPERM while the last one is a zombie.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Files that have had the right SHA-256, by what changes when they are replaced. */
const verified = new Map<string, string>();

async function verify({ path, sha256 }: Program): Promise<void> {
  if (!isAbsolute(path)) throw new CommandError('missing', `${path} is no absolute path`);
  if (!sha256) return;
  const found = await stat(path).catch(() => {
    throw new CommandError('missing', `there is no file ${path}`);
  });
  const identity = [sha256, found.ino, found.size, found.mtimeMs, found.ctimeMs].join();
  if (verified.get(path) === identity) return;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const actual = hash.digest('hex');
  if (actual !== sha256)
    throw new CommandError('mismatch', `${path} has the SHA-256 ${actual}, not ${sha256}: it was not run`);
  verified.set(path, identity);
}

function allowed(): Record<string, string> {
  const kept = inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { HOME: '/dev/null', ...(Object.fromEntries(kept) as Record<string, string>) };
}

function redacted(text: string, secrets: readonly string[]): string {
  const hidden = secrets.filter(Boolean).reduce((kept, secret) => kept.replaceAll(secret, '[redacted]'), text);
  return hidden.replace(
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    '[private key]',
  );
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}
