import {
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import type { Command } from 'commander';
import { caRotationId } from '../domain/ids.js';
import { parseDecision, type Decision } from '../domain/rotation.js';
import { answer, globalOptions, mustHave, withClient, withExamples } from './context.js';
import { BadInput, NoWorker } from './exit.js';

const answerWithinMs = 10_000;

export function addDecideCommands(program: Command): void {
  for (const decision of ['approve', 'reject'] as const) {
    const command = program
      .command(`${decision} <authority>`)
      .description(decision === 'approve' ? 'let the old CA be removed' : 'keep both CAs and end the rotation')
      .requiredOption('--who <who>', 'who decides; recorded as claimed')
      .option('--why <why>', 'the reason, for the record', '')
      .action((authority: string, { who, why }: { who: string; why: string }, self: Command) =>
        decide(self, authority, { decision, who, why }),
      );
    const why = decision === 'approve' ? 'all workers moved' : 'a batch job still uses the old certificate';
    withExamples(command, `${decision} temporal-booking --who ada --why "${why}"`);
  }
}

async function decide(command: Command, authority: string, decision: Decision): Promise<void> {
  const parsed = parseDecision(decision);
  if (typeof parsed === 'string') throw new BadInput(`not taken: ${parsed}`);
  const options = globalOptions(command);
  const workflowId = caRotationId(authority);
  await withClient(options, mustHave('authorities', authority), async (client) => {
    const handle = client.workflow.getHandle(workflowId);
    const { phase } = await send(client, handle, { decision: decision.decision, ...parsed });
    const taken = { workflowId, ...decision, accepted: true, phase };
    answer(options, taken, `${workflowId}: ${decision.decision} of ${parsed.who} taken`);
  });
}

/** Throws BadInput when the rotation refuses the decision, NoWorker when nobody answers for it. */
async function send(client: Client, handle: WorkflowHandle, decision: Decision): Promise<{ phase: string }> {
  try {
    return await client.withDeadline(Date.now() + answerWithinMs, () =>
      handle.executeUpdate<{ phase: string }, [Decision]>('decideCaRemoval', { args: [decision] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      throw new BadInput(`not taken: ${error.cause?.message ?? error.message}`);
    if ((error as Error).name === 'WorkflowNotFoundError')
      throw new BadInput(`${handle.workflowId} is not running: nothing to decide`);
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      throw new NoWorker(
        `not taken: no rotation worker answered for ${handle.workflowId} in ${answerWithinMs / 1000} s. ` +
          'Start the worker, look at `cert-rotation status`, and decide again',
      );
    throw error;
  }
}
