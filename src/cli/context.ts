import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import { connectClient } from '../temporal/connect.js';
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

/** Loads the configuration, connects, works, and closes the connection however the work ends. */
export async function withClient<T>(
  options: GlobalOptions,
  check: (loaded: LoadedConfig) => void,
  work: (client: Client, loaded: LoadedConfig) => Promise<T>,
): Promise<T> {
  const loaded = await loadConfig(configFile(options));
  check(loaded);
  const { client, close } = await connectClient(loaded);
  try {
    return await work(client, loaded);
  } finally {
    await close();
  }
}

export function mustHave(kind: 'authorities' | 'targets', name: string): (loaded: LoadedConfig) => void {
  return ({ config, file }) => {
    if (config[kind][name]) return;
    const known = Object.keys(config[kind]).join(', ');
    throw new BadInput(`${file} has no ${kind === 'targets' ? 'target' : 'authority'} "${name}". It has: ${known}`);
  };
}

export function print(line: string): void {
  console.log(line);
}
