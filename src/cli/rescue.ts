import type { Command } from 'commander';
import type { Program } from '../command.js';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { parseLeafLeak } from '../domain/emergency.js';
import { RotationError } from '../domain/failures.js';
import { rescue, type RescueUnderWay } from '../rescue/rescue.js';
import { connectClient } from '../temporal/connect.js';
import { answer, configFile, globalOptions, mustHave, withExamples, type GlobalOptions } from './context.js';
import { BadInput, exitCodes } from './exit.js';
import { Follower } from './follow.js';
import { codeOf } from './rotate.js';
import { streamTeller } from './teller.js';

interface Given {
  readonly who: string;
  readonly why: string;
  readonly temporal?: string;
}

export function addRescueCommand(program: Command): void {
  const command = program
    .command('rescue <authority>')
    .description(
      'everything has expired and nobody can connect: rotate the CA by the API key, on a Temporal of its own',
    )
    .requiredOption('--who <who>', 'who does it; recorded as claimed, and the approval while the evidence is clean')
    .requiredOption('--why <why>', 'the reason, for the record')
    .option('--temporal <file>', 'absolute path of the temporal CLI (default: that of `probe`, where it is one)')
    .action((authority: string, given: Given, self: Command) => run(self, authority, given));
  const example = 'rescue temporal-booking --who ada --why "nobody saw the notices" --temporal /usr/local/bin/temporal';
  withExamples(command, example, `${example} -o json`);
}

async function run(command: Command, authority: string, given: Given): Promise<void> {
  const person = parseLeafLeak(given);
  if (typeof person === 'string') throw new BadInput(`nothing was started: ${person}`);
  const options = globalOptions(command);
  const loaded = await loadConfig(configFile(options));
  mustHave('authorities', authority)(loaded);
  const temporal = programOf(loaded.config, given.temporal);
  if (await isLetIn(loaded))
    throw new RotationError('RescueNotNeeded', 'Temporal lets this very connection in; nothing was started.');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const audit = (event: object) => console.error(JSON.stringify({ audit: event }));
  try {
    process.exitCode = await rescue(
      loaded,
      { authority, ...person, temporal, audit, signal: stop.signal },
      (underWay) => follow(options, loaded, authority, underWay),
    );
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    answer(
      options,
      { outcome: 'interrupted' },
      'Ended. Nothing of it runs any more; the same command takes it up again.',
    );
    process.exitCode = exitCodes.interrupted;
  }
}

function programOf({ probe }: Config, path: string | undefined): Program {
  if (path !== undefined) return { path };
  if (probe.kind === 'temporal-cli') return { path: probe.binary, sha256: probe.sha256 };
  throw new BadInput(
    'nothing was started: name the temporal CLI with --temporal <absolute path>; it is not searched for',
  );
}

/** Whoever connects may ask the workers there: a rescue is not for them. */
async function isLetIn(loaded: LoadedConfig): Promise<boolean> {
  try {
    await (await connectClient(loaded)).connection.close();
    return true;
  } catch (error) {
    if (error instanceof RotationError) return false;
    throw error;
  }
}

async function follow(
  options: GlobalOptions,
  { config }: LoadedConfig,
  authority: string,
  { client, address, workflowId, runId }: RescueUnderWay,
): Promise<number> {
  const teller = streamTeller(options.output === 'json' ? process.stderr : process.stdout);
  const { namespace } = client.options;
  const to = `--address ${address} --namespace ${namespace} --workflow-id ${workflowId}`;
  teller.say(`${workflowId} runs on a Temporal of its own at ${address}. Leave this running; Ctrl-C ends it, and`);
  teller.say('the same command takes it up again. What waits for a person hears it by:');
  teller.say(`  temporal workflow signal ${to} --name retryTarget --input '{"who":"<you>"}'`);
  const { outcome, result, failure } = await new Follower({ workflowId, runId }, teller).follow(client);
  const told = { workflowId, outcome, result, failure };
  if (outcome === 'completed') {
    const queue = config.temporal.taskQueue;
    answer(options, told, [
      `${workflowId} ${outcome}: ${authority} has a new CA, every target a leaf of it, and workers connect again.`,
      `The rotation worker (task queue ${queue}) goes on by itself; whoever else has a copy of a leaf needs the new one.`,
      `Next: cert-rotation status; cert-rotation audit show ${authority}`,
    ]);
  } else answer(options, told, `${workflowId} ${outcome}${failure ? `: ${failure}` : ''}`);
  return codeOf({ outcome, result });
}
