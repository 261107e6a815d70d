import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';

/** One run of a workflow id. */
export interface KnownRun {
  readonly runId: string;
  readonly status: WorkflowExecutionStatusName;
}

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
  return (await runOf(client, workflowId, runId))?.status;
}

/** That run, or the last one; undefined when Temporal knows none. Not a billed action. */
export async function runOf(client: Client, workflowId: string, runId?: string): Promise<KnownRun | undefined> {
  try {
    const described = await client.workflow.getHandle(workflowId, runId).describe();
    return { runId: described.runId, status: described.status.name };
  } catch (error) {
    if ((error as Error).name === 'WorkflowNotFoundError') return undefined;
    throw error;
  }
}
