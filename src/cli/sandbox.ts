import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { print } from './context.js';
import { BadInput } from './exit.js';

interface StateOption {
  readonly state: string;
}

export function addSandboxCommands(program: Command): void {
  const sandbox = program.command('sandbox').description('Temporal Cloud and Kubernetes in a box, to rehearse on');
  sandbox
    .command('up')
    .description('start it and keep it up until Ctrl-C or `sandbox down`')
    .requiredOption('--state <dir>', 'folder for its state')
    .action(({ state }: StateOption) => up(resolve(state)));
  sandbox
    .command('down')
    .description('end it')
    .requiredOption('--state <dir>', 'the folder given to `sandbox up`')
    .action(({ state }: StateOption) => down(resolve(state)));
}

async function up(dir: string): Promise<void> {
  // Only here: the other commands do without the sandbox's code.
  const { startSandbox } = await import('../sandbox/index.js');
  const stopped = new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop());
  });
  const starting = startSandbox({ dir, progress: (line) => console.error(line) });
  const first = await Promise.race([starting, stopped]);
  if (first)
    print(exportLines(JSON.parse(await readFile(join(dir, 'sandbox.json'), 'utf8')) as Description).join('\n'));
  const keepAlive = setInterval(() => undefined, 60_000);
  await stopped;
  clearInterval(keepAlive);
  console.error('ending the sandbox');
  await (await starting).stop();
  process.exit(0);
}

interface Description {
  readonly pid: number;
  readonly temporal: { readonly address: string; readonly ui: string };
  readonly gateway: { readonly address: string; readonly caFile: string };
  readonly cloud: { readonly address: string; readonly apiKey: string };
  readonly kubernetes: { readonly kubeconfig: string };
  readonly configuration: string;
}

function exportLines({ temporal, gateway, cloud, kubernetes, configuration }: Description): readonly string[] {
  return [
    `# Temporal UI: ${temporal.ui}   gateway (mutual TLS): ${gateway.address}`,
    `export CERT_ROTATION_CONFIG=${configuration}`,
    `export TEMPORAL_ADDRESS=${temporal.address}`,
    'export TEMPORAL_NAMESPACE=temporal-booking.sdvdw',
    `export TEMPORAL_CLOUD_API_SERVER=${cloud.address}`,
    `export TEMPORAL_CLOUD_API_KEY=${cloud.apiKey}`,
    `export SSL_CERT_FILE=${gateway.caFile}`,
    `export KUBECONFIG=${kubernetes.kubeconfig}`,
  ];
}

async function down(dir: string): Promise<void> {
  const text = await readFile(join(dir, 'sandbox.json'), 'utf8').catch(() => {
    throw new BadInput(`${dir} holds no sandbox.json: no sandbox was started there`);
  });
  const { pid } = JSON.parse(text) as Description;
  if (!signal(pid, 'SIGTERM')) return print('it is not running');
  while (signal(pid, 0)) await wait(200);
  print('ended');
}

function signal(pid: number, name: 'SIGTERM' | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
