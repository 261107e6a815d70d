import { ChildWorkflowCancellationType, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { patient } from './options.js';

interface UnderFixedId<Input, Result> {
  readonly workflow: (input: Input) => Promise<Result>;
  readonly workflowId: string;
  readonly input: Input;
  readonly summary: string;
}

/**
 * Runs `workflow` under the id that is its lock, as a child that outlives us (safety 29, 31). Undefined when a run of that
 * id is open already: the caller decides whether to follow it, wait and try again, or skip.
 */
export async function runUnderFixedId<Input, Result>(run: UnderFixedId<Input, Result>): Promise<Result | undefined> {
  try {
    const child = await startChild(run.workflow, {
      workflowId: run.workflowId,
      args: [run.input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: run.summary,
    });
    return await child.result();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** Follows the open run of `workflowId` to its end and returns its result; throws what it failed with. */
export async function follow<Result>(workflowId: string): Promise<Result> {
  return (await patient.followRotation.executeWithOptions(
    {
      summary: `Follow ${workflowId}, which runs already`,
      startToCloseTimeout: '30 days',
      scheduleToCloseTimeout: '30 days',
    },
    [{ workflowId }],
  )) as Result;
}
