import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import type { CaRotationResult } from '../domain/rotation.js';
import type { Told } from '../temporal/history.js';
import { globalOptions, mustHave, print, withClient, type GlobalOptions } from './context.js';
import { exitCodes } from './exit.js';
import { followRun } from './follow.js';

interface RotateOptions extends GlobalOptions {
  readonly wait: boolean;
}

export function addRotateCommands(program: Command): void {
  const rotate = program.command('rotate').description('start a rotation and follow it');
  rotate
    .command('ca <authority>')
    .description('rotate a CA and every leaf that it signs')
    .option('--no-wait', 'start it and return')
    .action((authority: string, _options, command: Command) =>
      start(command, mustHave('authorities', authority), {
        type: 'caRotation',
        workflowId: caRotationId(authority),
        input: { authority },
        summary: `Rotate the CA ${authority}`,
      }),
    );
  rotate
    .command('leaf <target>')
    .description('rotate the leaf of a target')
    .option('--no-wait', 'start it and return')
    .action((target: string, _options, command: Command) =>
      start(command, mustHave('targets', target), {
        type: 'leafRotation',
        workflowId: leafRotationId(target),
        input: { target },
        summary: `Rotate the leaf of ${target}`,
      }),
    );
}

interface Start {
  readonly type: string;
  readonly workflowId: string;
  readonly input: object;
  readonly summary: string;
}

async function start(command: Command, check: ReturnType<typeof mustHave>, what: Start): Promise<void> {
  const options = globalOptions(command) as RotateOptions;
  process.exitCode = await withClient(options, check, async (client, { config }) => {
    const handle = await client.workflow.start(what.type, {
      workflowId: what.workflowId,
      taskQueue: config.temporal.taskQueue,
      args: [what.input],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: what.summary,
    });
    const runId = handle.firstExecutionRunId;
    if (!options.wait) {
      print(
        options.output === 'json'
          ? JSON.stringify({ workflowId: what.workflowId, runId })
          : `${what.workflowId} runs: cert-rotation status`,
      );
      return exitCodes.done;
    }
    return follow(client, { workflowId: what.workflowId, runId }, options);
  });
}

/** Ctrl-C stops the following, never the rotation. */
async function follow(
  client: Client,
  run: { workflowId: string; runId: string },
  options: RotateOptions,
): Promise<number> {
  const json = options.output === 'json';
  process.once('SIGINT', () => {
    console.error(`\nNo longer following. ${run.workflowId} goes on: cert-rotation status`);
    process.exit(130);
  });
  const say = json ? (line: string) => console.error(line) : print;
  say(`${run.workflowId} (run ${run.runId})`);
  const told = await followRun(client, run, say);
  if (json)
    print(
      JSON.stringify({
        workflowId: run.workflowId,
        outcome: told.outcome,
        result: told.result,
        failure: told.failure,
        actions: told.actions,
      }),
    );
  else say(`${run.workflowId} ${told.outcome}${told.failure ? `: ${told.failure}` : ''}`);
  return codeOf(told);
}

export function codeOf({ outcome, result }: Told): number {
  if (outcome !== 'completed') return exitCodes.failed;
  return (result as Partial<CaRotationResult> | undefined)?.outcome === 'keptBoth'
    ? exitCodes.keptBoth
    : exitCodes.done;
}
