import { Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Dependencies } from './dependencies.js';

export function followActivities(deps: Dependencies) {
  /** Waits for the open run of `workflowId` and hands on how it ended. */
  async function followRotation({ workflowId }: { workflowId: string }): Promise<unknown> {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat({ line: `following ${workflowId}` }), 5000);
    try {
      return await Promise.race([deps.client().workflow.getHandle(workflowId).result(), context.cancelled]);
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      throw ApplicationFailure.nonRetryable(`${workflowId} failed: ${rootMessage(error)}`, 'FollowedRotationFailed');
    } finally {
      clearInterval(beat);
    }
  }

  return { followRotation };
}

/** The innermost cause says what happened; its wrappers only say where. */
function rootMessage(error: Error): string {
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}
