import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Option, type Command } from 'commander';
import { parseEmergency, parseLeafLeak, type Emergency, type LeafLeak } from '../domain/emergency.js';
import { RotationError, type FailureType } from '../domain/failures.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import { globalOptions, mustHave, withClient, withExamples } from './context.js';
import { BadInput } from './exit.js';
import { followOrLeave, type RotateOptions, type Started } from './rotate.js';

const answerWithinMs = 10_000;

export function addEmergencyCommands(program: Command): void {
  const emergency = program
    .command('emergency')
    .description('a key is in other hands: rotate now, waiting for proofs only, and never back (docs/emergency.md)');
  const ca = emergency
    .command('ca <authority>', { isDefault: true })
    .description('the key of a CA leaked: move everybody to a new one and remove it; takes over a rotation that runs')
    .requiredOption('--who <who>', 'who declares it; recorded as claimed, and the approval while the evidence is clean')
    .requiredOption('--why <why>', 'the reason, for the record')
    .addOption(
      new Option(
        '--leaked <ca>',
        'whose key leaked: of the CA in use, of the one that a rotation has just made, of both',
      )
        .choices(['current', 'next', 'both'])
        .default('current'),
    )
    .option('--lock-out-unknown', 'do not ask about pollers that belong to no known target: they may be the attacker')
    .option('--no-wait', 'declare it and return')
    .action((authority: string, given: Partial<Emergency>, self: Command) => declare(self, authority, given));
  const leaf = emergency
    .command('leaf <target>')
    .description('the key of a leaf leaked: give the target a new one now; says what ends the use of the old one')
    .requiredOption('--who <who>', 'who says so; recorded as claimed')
    .requiredOption('--why <why>', 'the reason, for the record')
    .option('--no-wait', 'start it and return')
    .action((target: string, given: LeafLeak, self: Command) => replaceLeaf(self, target, given));
  const declaring = 'emergency ca temporal-booking --who ada --why "the CA key was in a public bucket"';
  const replacing = 'emergency leaf booking-worker --who ada --why "a laptop with its Secret was stolen"';
  withExamples(ca, declaring, `${declaring} --leaked both`, `${declaring} --lock-out-unknown`);
  withExamples(leaf, replacing);
  withExamples(emergency, declaring, replacing);
}

async function declare(command: Command, authority: string, given: Partial<Emergency>): Promise<void> {
  const emergency = parseEmergency(given);
  if (typeof emergency === 'string') throw new BadInput(`not taken: ${emergency}`);
  const options = globalOptions(command) as RotateOptions;
  const workflowId = caRotationId(authority);
  const { run, answered } = await withClient(
    options,
    mustHave('authorities', authority),
    async (client, { config }) => {
      const startWorkflowOperation = new WithStartWorkflowOperation('caRotation', {
        workflowId,
        taskQueue: config.temporal.taskQueue,
        args: [{ authority, who: emergency.who, emergency }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `Emergency: rotate the CA ${authority}`,
      });
      const taken = await declareOn(client, workflowId, emergency, startWorkflowOperation);
      return { run: await openRun(client, workflowId), answered: taken };
    },
  );
  const begun = answered
    ? [`${workflowId}: the emergency of ${emergency.who} is declared and on record`]
    : [
        `${workflowId}: no rotation worker answered. The emergency lies there and counts as soon as one runs and reaches the keystore:`,
        'start the worker, and look at cert-rotation status',
      ];
  await followOrLeave(options, run, begun, authority);
}

/**
 * With the start of the rotation, or to the one that runs. False when no worker answered: then it waits there, as a signal.
 * Throws EmergencyNotRecorded.
 */
async function declareOn(
  client: Client,
  workflowId: string,
  emergency: Emergency,
  startWorkflowOperation: WithStartWorkflowOperation<() => Promise<unknown>>,
): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflow.executeUpdateWithStart('emergency', { args: [emergency], startWorkflowOperation }),
    );
    return true;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && isOf(error, 'EmergencyNotRecorded'))
      throw new RotationError('EmergencyNotRecorded', error.cause!.message);
    if (error instanceof WorkflowUpdateFailedError)
      throw new BadInput(`not taken: ${error.cause?.message ?? error.message}`);
    if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    await client.workflow.getHandle(workflowId).signal('declareEmergency', emergency);
    return false;
  }
}

function isOf({ cause }: WorkflowUpdateFailedError, type: FailureType): boolean {
  return cause instanceof ApplicationFailure && cause.type === type;
}

/** A rotation of that target that runs already is told, too: it never puts the leaked pair back. */
async function replaceLeaf(command: Command, target: string, given: LeafLeak): Promise<void> {
  const leak = parseLeafLeak(given);
  if (typeof leak === 'string') throw new BadInput(`not taken: ${leak}`);
  const options = globalOptions(command) as RotateOptions;
  const workflowId = leafRotationId(target);
  const { run, authority } = await withClient(options, mustHave('targets', target), async (client, { config }) => {
    await client.workflow.signalWithStart('leafRotation', {
      workflowId,
      taskQueue: config.temporal.taskQueue,
      args: [{ target, urgent: true }],
      signal: 'leafLeaked',
      signalArgs: [leak],
      staticSummary: `Emergency: rotate the leaf of ${target}`,
    });
    return { run: await openRun(client, workflowId), authority: config.targets[target]!.authority };
  });
  const begun = [
    `${workflowId}: a new leaf is on its way. The old one cannot be revoked; whoever has its key still gets in until its CA is`,
    `removed (cert-rotation emergency ca ${authority}), until filters no longer match it, or until it expires`,
  ];
  await followOrLeave(options, run, begun, target);
}

async function openRun(client: Client, workflowId: string): Promise<Started> {
  const { runId } = await client.workflow.getHandle(workflowId).describe();
  return { workflowId, runId, joined: true };
}
