import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { SandboxDescription } from '../sandbox/description.js';
import { chosenKinds, kindsOf, seams, type Kinds, type Seam } from '../sandbox/kinds.js';
import { answer, globalOptions, withExamples, type GlobalOptions } from './context.js';
import { BadInput, exitCodes } from './exit.js';

interface StateOption extends GlobalOptions {
  readonly state: string;
}

interface UpOptions extends StateOption, Kinds {
  readonly withTools?: boolean;
}

export function addSandboxCommands(program: Command): void {
  const sandbox = program.command('sandbox').description('Temporal Cloud and Kubernetes in a box, to rehearse on');
  const commands = {
    up: sandbox
      .command('up')
      .description('start it, print what to export, and keep it up until Ctrl-C or `sandbox down`')
      .requiredOption('--state <dir>', 'folder for its state, new or empty')
      .option('--with-tools', 'also find temporal, kubectl, tcld and certstrap, and put them on the PATH it prints')
      .action((_options, command: Command) => up(globalOptions(command) as UpOptions)),
    down: sandbox
      .command('down')
      .description('end it, starting or up; nothing of it is left')
      .requiredOption('--state <dir>', 'the folder given to `sandbox up`')
      .action((_options, command: Command) => down(globalOptions(command) as StateOption)),
  };
  for (const seam of Object.keys(seams) as Seam[]) {
    const option = new Option(`--${seam} <kind>`, seams[seam]).choices(kindsOf[seam]).default(kindsOf[seam][0]);
    commands.up.addOption(option);
  }
  withExamples(
    commands.up,
    'sandbox up --state ./sandbox',
    'sandbox up --state ./sandbox --cloud tcld --issuer certstrap --probe temporal-cli',
    'sandbox up --state ./sandbox -o json',
  );
  withExamples(commands.down, 'sandbox down --state ./sandbox');
  withExamples(sandbox, 'sandbox up --state ./sandbox', 'sandbox down --state ./sandbox');
}

const refreshEveryMs = 1000;
/** By each of the three workers. It may stay up for days: enough traffic to see, few enough workflows to list. */
const bookingsPerSecond = 1 / 6;

/** Its processes and its folder go when this process does, however it ends: a signal need only end it. */
async function up(options: UpOptions): Promise<void> {
  // Only here: the other commands do without the sandbox's code.
  const { startSandbox } = await import('../sandbox/index.js');
  const { claimStateFolder, StateFolderError } = await import('../sandbox/state-folder.js');
  const { describeSandbox } = await import('../sandbox/description.js');
  const { followClientPair } = await import('../sandbox/client-pair.js');
  const folder = await claimStateFolder(resolve(options.state)).catch((error: unknown) => {
    throw error instanceof StateFolderError ? new BadInput(error.message) : error;
  });
  let isUp = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      console.error('ending the sandbox');
      process.exit(isUp ? exitCodes.done : exitCodes.interrupted);
    });
  }
  const sandbox = await startSandbox({
    dir: folder.state,
    kinds: chosenKinds(options),
    progress: (line) => console.error(line),
    bookingsPerSecond,
  });
  const tools = options.withTools ? await linkTools(join(folder.state, 'bin')) : undefined;
  const client = await followClientPair(sandbox);
  let description = describeSandbox(sandbox);
  await folder.publish(description);
  const path = tools ? [`export PATH=${tools}:$PATH`] : [];
  answer(options, description, [...exportLines(description, client.files), ...path]);
  isUp = true;
  for (;;) {
    await wait(refreshEveryMs);
    await client.sync().catch((error: Error) => console.error(`client certificate not read: ${error.message}`));
    const { worker } = describeSandbox(sandbox);
    if (!worker || worker.pid === description.worker?.pid) continue;
    description = { ...description, worker };
    await folder.publish(description);
  }
}

/** Where they are. */
async function linkTools(folder: string): Promise<string> {
  const { linkArticleTools } = await import('../sandbox/tools/article.js');
  await linkArticleTools(folder, (line) => console.error(line));
  return folder;
}

function exportLines(
  { temporal, gateway, cloud, kubernetes, configuration }: SandboxDescription,
  client: { readonly certificate: string; readonly key: string },
): readonly string[] {
  const [[namespace, serverName] = ['', '']] = Object.entries(gateway.serverNames);
  return [
    `# The sandbox is up. Temporal UI: ${temporal.ui}`,
    '# cert-rotation',
    `export CERT_ROTATION_CONFIG=${configuration}`,
    '# a worker of your own: the cloud is the sandbox’s, and its issuers may be programs',
    'export CERT_ROTATION_ALLOW=foreign-cloud,commands',
    '# temporal and cert-rotation: through the gateway, with the certificate of the booking workers, which is kept up to date',
    `export TEMPORAL_ADDRESS=${gateway.address}`,
    `export TEMPORAL_NAMESPACE=${namespace}`,
    `export TEMPORAL_TLS_CLIENT_CERT_PATH=${client.certificate}`,
    `export TEMPORAL_TLS_CLIENT_KEY_PATH=${client.key}`,
    `export TEMPORAL_TLS_SERVER_CA_CERT_PATH=${gateway.caFile}`,
    `export TEMPORAL_TLS_SERVER_NAME=${serverName}`,
    '# tcld; SSL_CERT_FILE replaces the roots of every Go program in this shell',
    `export TEMPORAL_CLOUD_API_SERVER=${cloud.address.replace('127.0.0.1', 'localhost')}`,
    `export TEMPORAL_CLOUD_API_KEY=${cloud.apiKey}`,
    `export SSL_CERT_FILE=${cloud.caFile}`,
    '# kubectl',
    `export KUBECONFIG=${kubernetes.kubeconfig}`,
  ];
}

const endsWithinMs = 20_000;

async function down(options: StateOption): Promise<void> {
  const { clearStateFolder, isStateFolder, ownerOf } = await import('../sandbox/state-folder.js');
  const dir = resolve(options.state);
  if (!(await isStateFolder(dir))) throw new BadInput(`no sandbox runs in ${dir}`);
  const pid = await ownerOf(dir);
  if (pid !== undefined) await end(pid, () => ownerOf(dir));
  await clearStateFolder(dir);
  const text = pid === undefined ? 'it was not running; what it left is removed' : 'ended';
  answer(options, { ended: pid !== undefined, ...(pid !== undefined && { pid }) }, text);
}

async function end(pid: number, owner: () => Promise<number | undefined>): Promise<void> {
  process.kill(pid, 'SIGTERM');
  for (const deadline = Date.now() + endsWithinMs; (await owner()) === pid; await wait(100)) {
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
  }
}
