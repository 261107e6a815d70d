import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, type Client } from '@temporalio/client';
import { NoWorker, NotTaken } from './exit.js';

const usuallyWithinMs = 10_000;

export interface Update<Sent> {
  readonly name: string;
  readonly sent: Sent;
  /** Longer where the rotation has to look before it answers. */
  readonly withinMs?: number;
}

/** Tells a running rotation something. Throws NotTaken when it refuses, or does not run; NoWorker when nobody answers for it in time, who may take it later. */
export async function sendUpdate<Sent, Answer>(
  client: Client,
  workflowId: string,
  { name, sent, withinMs = usuallyWithinMs }: Update<Sent>,
): Promise<Answer> {
  try {
    return await client.withDeadline(Date.now() + withinMs, () =>
      client.workflow.getHandle(workflowId).executeUpdate<Answer, [Sent]>(name, { args: [sent] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) throw new NotTaken(`not taken: ${innermost(error).message}`);
    if ((error as Error).name === 'WorkflowNotFoundError')
      throw new NotTaken(`not taken: ${workflowId} is not running: nothing to decide`);
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      throw new NoWorker(
        `no rotation worker answered for ${workflowId} in ${withinMs / 1000} s, so it is not known whether it was taken; ` +
          'it may still be, without another word. Start the worker, if none runs, and look at `cert-rotation status` before you say it again',
      );
    throw error;
  }
}

/** What it failed with: the workflow says why itself, or an activity that it looked with. */
function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error;
}
