import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import { objectionToStart } from '../domain/approval.js';
import { RotationError } from '../domain/failures.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import type { CaRotationResult } from '../domain/rotation.js';
import type { Told } from '../temporal/history.js';
import { answer, globalOptions, mustHave, withClient, withExamples, type GlobalOptions } from './context.js';
import { BadInput, exitCodes } from './exit.js';
import { Follower, type Run, type Teller } from './follow.js';
import { streamTeller } from './teller.js';

/** Of a command that starts a rotation. */
export interface RotateOptions extends GlobalOptions {
  readonly wait: boolean;
}

export function addRotateCommands(program: Command): void {
  const rotate = program.command('rotate').description('start a rotation and follow it');
  const ca = rotate
    .command('ca <authority>')
    .description('rotate a CA and every leaf that it signs')
    .option('--no-wait', 'start it and return')
    .option('--who <who>', 'who starts it; recorded as claimed, and needed where two others must approve')
    .action((authority: string, { who }: { who?: string }, command: Command) =>
      start(command, mayStart(authority, who), {
        type: 'caRotation',
        workflowId: caRotationId(authority),
        input: { authority, ...(who && { who }) },
        summary: `Rotate the CA ${authority}`,
      }),
    );
  const leaf = rotate
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
  withExamples(ca, 'rotate ca temporal-booking --who ada', 'rotate ca temporal-booking --no-wait -o json');
  withExamples(leaf, 'rotate leaf booking-worker');
  withExamples(rotate, 'rotate leaf booking-worker', 'rotate ca temporal-booking --no-wait');
}

/** Of a rotation that needs two approvers its starter is known, and leaves two. */
export function mayStart(authority: string, who: string | undefined): (loaded: LoadedConfig) => void {
  return (loaded) => {
    mustHave('authorities', authority)(loaded);
    const { secondPerson, approvers = {} } = loaded.config.authorities[authority]!.approval;
    const objection = objectionToStart({ secondPerson, approvers: Object.keys(approvers) }, who);
    if (objection !== undefined) throw new BadInput(`not started: ${objection}`);
  };
}

interface Start {
  readonly type: string;
  readonly workflowId: string;
  readonly input: object;
  readonly summary: string;
}

/** A rotation that was started, or that ran already. */
export type Started = Run & { readonly joined: boolean };

async function start(command: Command, check: ReturnType<typeof mustHave>, what: Start): Promise<void> {
  const options = globalOptions(command) as RotateOptions;
  const run = await withClient(options, check, (client, loaded) => startOrJoin(client, loaded, what));
  const begun = run.joined ? `${run.workflowId} runs already: joined run ${run.runId}` : `${run.workflowId} started`;
  await followOrLeave(options, run, [begun], String(Object.values(what.input)[0]));
}

/** Follows it to its end, or says how to. @param name what `status` takes */
export async function followOrLeave(
  options: RotateOptions,
  run: Started,
  begun: readonly string[],
  name: string,
): Promise<void> {
  if (options.wait) process.exitCode = await follow(options, run, begun);
  else answer(options, run, [...begun, `Follow it: cert-rotation status ${name}`]);
}

/** There is one rotation at a time under an id: the one that runs is joined. */
async function startOrJoin(client: Client, { config }: LoadedConfig, what: Start): Promise<Started> {
  const { workflowId } = what;
  try {
    const handle = await client.workflow.start(what.type, {
      workflowId,
      taskQueue: config.temporal.taskQueue,
      args: [what.input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: what.summary,
    });
    return { workflowId, runId: handle.firstExecutionRunId, joined: false };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    return { workflowId, runId, joined: true };
  }
}

/** Ctrl-C stops the following, never the rotation. */
async function follow(options: RotateOptions, run: Started, begun: readonly string[]): Promise<number> {
  const teller = streamTeller(options.output === 'json' ? process.stderr : process.stdout);
  process.on('SIGINT', () => {
    teller.say(`No longer following. ${run.workflowId} goes on: cert-rotation status`);
    if (options.output === 'json') answer(options, { ...run, outcome: 'running' }, []);
    process.exit(exitCodes.interrupted);
  });
  begun.forEach((line) => teller.say(line));
  const { outcome, result, failure, actions } = await followToTheEnd(options, run, teller);
  if (options.output === 'json') answer(options, { ...run, outcome, result, failure, actions }, []);
  else teller.say(`${run.workflowId} ${outcome}${failure ? `: ${failure}` : ''}`);
  return codeOf({ outcome, result });
}

const patienceMs = 120_000;

/** A rotation outlives our connection, and may replace the very certificate that we connect with: connect again, for a while. */
async function followToTheEnd(options: RotateOptions, run: Run, teller: Teller): Promise<Told> {
  const follower = new Follower(run, teller);
  for (let lostAt: number | undefined; ;) {
    try {
      return await withClient(
        options,
        () => undefined,
        (client) => {
          lostAt = undefined;
          return follower.follow(client);
        },
      );
    } catch (error) {
      if (!(error instanceof RotationError) || !error.type.startsWith('Temporal')) throw error;
      if (lostAt === undefined) teller.say(`Connection lost, connecting again: ${error.message}`);
      lostAt ??= Date.now();
      if (Date.now() - lostAt > patienceMs) throw error;
      await wait(2000);
    }
  }
}

/** The exit code of a rotation that has ended. */
export function codeOf({ outcome, result }: Pick<Told, 'outcome' | 'result'>): number {
  if (outcome !== 'completed') return exitCodes.failed;
  const { outcome: end } = (result ?? {}) as Partial<CaRotationResult>;
  if (end === 'aborted') return exitCodes.failed;
  return end === 'keptBoth' ? exitCodes.keptBoth : exitCodes.done;
}
