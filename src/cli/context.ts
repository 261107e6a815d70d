import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import { connectClient } from '../temporal/connect.js';
import { temporalFailure } from '../temporal/failures.js';
import { BadInput } from './exit.js';

export interface GlobalOptions {
  readonly config?: string;
  readonly output: 'text' | 'json';
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

export function configFile({ config }: GlobalOptions): string {
  return config ?? process.env['CERT_ROTATION_CONFIG'] ?? 'rotation.yaml';
}

/**
 * Loads the configuration, connects and works. What fails because of the connection is thrown as TemporalUnreachable,
 * TemporalRefused or TemporalNamespaceUnknown. The connection ends with the process: closed under a call that waits to be
 * tried again, it would throw where nobody catches it.
 */
export async function withClient<T>(
  options: GlobalOptions,
  check: (loaded: LoadedConfig) => void,
  work: (client: Client, loaded: LoadedConfig) => Promise<T>,
): Promise<T> {
  const loaded = await loadConfig(configFile(options));
  check(loaded);
  const client = await connectClient(loaded);
  try {
    return await work(client, loaded);
  } catch (error) {
    throw temporalFailure(error) ?? error;
  }
}

export function mustHave(kind: 'authorities' | 'targets', name: string): (loaded: LoadedConfig) => void {
  return ({ config, file }) => {
    if (Object.hasOwn(config[kind], name)) return;
    const known = Object.keys(config[kind]).join(', ') || 'none';
    throw new BadInput(`${file} has no ${kind === 'targets' ? 'target' : 'authority'} "${name}". It has: ${known}`);
  };
}

export function print(line: string): void {
  console.log(line);
}

/** The answer of a command: one JSON document, or lines for a person. */
export function answer({ output }: GlobalOptions, document: unknown, lines: string | readonly string[]): void {
  print(output === 'json' ? JSON.stringify(document) : [lines].flat().join('\n'));
}

/** Adds examples to a command's help. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  cert-rotation ${line}`).join('\n')}`);
}
