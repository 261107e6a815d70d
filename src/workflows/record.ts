import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { RotationEnd } from '../domain/audit.js';
import type { CaPlan, CaRotationResult } from '../domain/rotation.js';
import { rootOf } from './failures.js';
import { write } from './options.js';
import type { StatusBoard } from './status.js';

/** Does `work`, and writes beside the authority how it ended, before the workflow closes (safety 45). */
export async function recordingTheEnd(
  { authority }: CaPlan,
  board: StatusBoard,
  startedBy: string | undefined,
  work: () => Promise<CaRotationResult>,
): Promise<CaRotationResult> {
  const started = { authority, startedAt: workflowInfo().startTime.toISOString(), ...(startedBy && { startedBy }) };
  try {
    const result = await work();
    const { outcome, reason } = result;
    await record({ ...started, outcome, ...(reason && { reason }), result }, board);
    return result;
  } catch (error) {
    await record(
      { ...started, outcome: isCancellation(error) ? 'cancelled' : 'failed', reason: rootOf(error).message },
      board,
    );
    throw error;
  }
}

/** Never changes how the rotation ends. */
async function record(end: RotationEnd, board: StatusBoard): Promise<void> {
  const summary = `Put on record how the rotation of ${end.authority} ended`;
  await CancellationScope.nonCancellable(() => write.recordRotation.executeWithOptions({ summary }, [end])).catch(
    (error: unknown) => board.problem(`The end of this rotation is not on record: ${rootOf(error).message}`),
  );
}
