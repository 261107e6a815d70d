import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, type Client } from '@temporalio/client';
import { BadInput, NoWorker } from './exit.js';

const answerWithinMs = 10_000;

/** Tells a running rotation something. Throws BadInput when it refuses, NoWorker when nobody answers for it. */
export async function sendUpdate<Sent, Answer>(
  client: Client,
  workflowId: string,
  { name, sent }: { readonly name: string; readonly sent: Sent },
): Promise<Answer> {
  try {
    return await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflow.getHandle(workflowId).executeUpdate<Answer, [Sent]>(name, { args: [sent] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError)
      throw new BadInput(`not taken: ${error.cause?.message ?? error.message}`);
    if ((error as Error).name === 'WorkflowNotFoundError')
      throw new BadInput(`not taken: ${workflowId} is not running: nothing to decide`);
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      throw new NoWorker(
        `not taken: no rotation worker answered for ${workflowId} in ${answerWithinMs / 1000} s. ` +
          'Start the worker, look at `cert-rotation status`, and decide again',
      );
    throw error;
  }
}
