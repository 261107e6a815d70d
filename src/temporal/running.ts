import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';

/** One run of a workflow id. */
export interface KnownRun {
  readonly runId: string;
  readonly status: WorkflowExecutionStatusName;
}

/**
 * The runs of a workflow id that could not say a last word: terminated (a reset does that to the run that it leaves) or timed
 * out. As far back as Temporal knows them, the one that ended first before the others. Not a billed action.
 */
export async function runsCutShort(client: Client, workflowId: string): Promise<readonly string[]> {
  const query = `WorkflowId = '${workflowId}' AND ExecutionStatus IN ('Terminated', 'TimedOut')`;
  const runs: { readonly runId: string; readonly endedAt: number }[] = [];
  for await (const { runId, closeTime } of client.workflow.list({ query }))
    runs.push({ runId, endedAt: closeTime?.getTime() ?? 0 });
  return runs.toSorted((a, b) => a.endedAt - b.endedAt).map(({ runId }) => runId);
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
