import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';

/** Is there an open workflow of this id? Not a billed action. */
export async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  return (await statusOf(client, workflowId)) === 'RUNNING';
}

/** Of that run, or the last one; undefined when Temporal knows none. Not a billed action. */
export async function statusOf(
  client: Client,
  workflowId: string,
  runId?: string,
): Promise<WorkflowExecutionStatusName | undefined> {
  try {
    return (await client.workflow.getHandle(workflowId, runId).describe()).status.name;
  } catch (error) {
    if ((error as Error).name === 'WorkflowNotFoundError') return undefined;
    throw error;
  }
}
