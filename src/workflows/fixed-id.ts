import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowCancellationType, ParentClosePolicy, setCurrentDetails, startChild } from '@temporalio/workflow';
import { following } from './options.js';

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

/** What a run under any other id does (the UI and `temporal workflow start` make one up): run or follow the one with the fixed id. */
export async function standInFor<Input, Result>({
  whenRunning,
  ...run
}: UnderFixedId<Input, Result> & { readonly whenRunning?: () => Promise<void> }): Promise<Result> {
  setCurrentDetails(`The rotation runs as **${run.workflowId}**: look there, and send decisions there.`);
  const result = await runUnderFixedId(run);
  if (result) return result;
  await whenRunning?.();
  return follow<Result>(run.workflowId);
}

/** Follows the open run of `workflowId` to its end and returns its result; throws what it failed with. */
export async function follow<Result>(workflowId: string): Promise<Result> {
  return (await following.followRotation.executeWithOptions({ summary: `Follow ${workflowId}, which runs already` }, [
    { workflowId },
  ])) as Result;
}
