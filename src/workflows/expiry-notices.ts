import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, ExpiryTask } from '../activities/index.js';
import { caRotationId, leafRotationId } from '../domain/ids.js';
import type { Run } from '../domain/notices.js';
import type { CaRotationRequest, ExpiryNoticesResult, LeafRotationRequest } from '../domain/rotation.js';
import { caRotation } from './ca-rotation.js';
import { rootOf } from './failures.js';
import { leafRotation } from './leaf-rotation.js';
import { write } from './options.js';
import { notTold, send } from './tell.js';

/** Slow to try again: a place that does not answer gets some minutes before people are told of the others without it. */
const { takeNotices } = proxyActivities<Activities>({
  startToCloseTimeout: '1h',
  scheduleToCloseTimeout: '6h',
  heartbeatTimeout: '2m',
  retry: { initialInterval: '1m', maximumInterval: '10m' },
});

/**
 * The watch over expiring certificates, which a schedule starts: looks at every CA in every bundle, every authority and the
 * leaf of every target, starts the rotation of each CA that is due, puts on record what was cut short and starts it again, and tells people. Run
 * as often as one likes, at the same time too: what is told is claimed in the keystore first, and told there once it is (activities/expiry.ts). A run that
 * could not see or tell everything fails at its end and says what; what was not told is told by the next one.
 */
export async function expiryNotices(): Promise<ExpiryNoticesResult> {
  const task = await takeNotices.executeWithOptions({ summary: 'Look at every certificate' }, [{ run: thisRun() }]);
  const started: string[] = [];
  for (const request of task.rotate) if (await startCa(request)) started.push(caRotationId(request.authority));
  for (const request of task.rotateLeaves) if (await startLeaf(request)) started.push(leafRotationId(request.target));
  const left = await Promise.all([recordEnds(task.unrecorded), ...task.notices.map(deliver)]);
  const problems = [...task.unseen, ...left.flat()];
  if (problems.length > 0)
    throw ApplicationFailure.nonRetryable(
      `Not seen, not told or not on record: ${problems.join('; ')}`,
      'ExpiryNoticesIncomplete',
    );
  return { told: task.notices.map(({ notifier, message }) => `${notifier}: ${message.title}`), started };
}

function thisRun(): Run {
  const { workflowId, runId } = workflowInfo();
  return { workflowId, runId };
}

/** Its approval stays what it is. */
function startCa(request: CaRotationRequest): Promise<boolean> {
  const { authority } = request;
  return isStarted(() =>
    startChild(caRotation, {
      workflowId: caRotationId(authority),
      args: [request],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Rotate the CA of ${authority}, which expires, or whose rotation was cut short`,
    }),
  );
}

function startLeaf(request: LeafRotationRequest): Promise<boolean> {
  const { target } = request;
  return isStarted(() =>
    startChild(leafRotation, {
      workflowId: leafRotationId(target),
      args: [request],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Rotate the leaf of ${target}, whose rotation was cut short`,
    }),
  );
}

/** Under the id that is its lock, as a child that outlives us. False when it runs already. */
async function isStarted(start: () => Promise<unknown>): Promise<boolean> {
  try {
    await start();
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/** How rotations ended that could not say so themselves (safety 45), one after the other. What went wrong. */
async function recordEnds(runs: ExpiryTask['unrecorded']): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const run of runs) {
    const summary = `Put on record how a rotation of ${run.authority} was cut short`;
    await write.recordCutShort
      .executeWithOptions({ summary }, [run])
      .catch((error: unknown) => problems.push(`the end of ${caRotationId(run.authority)}: ${rootOf(error).message}`));
  }
  return problems;
}

/** What went wrong. A message that was given up loses its claims, so that the next run tells it. */
async function deliver({ notifier, message, ids }: ExpiryTask['notices'][number]): Promise<readonly string[]> {
  const claimed = { run: thisRun(), ids };
  try {
    return await send(notifier, message, claimed);
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      write.releaseNotices.executeWithOptions({ summary: `Leave it to the next run to tell ${notifier}` }, [
        { notifier, ...claimed },
      ]),
    );
    return [notTold(notifier, error)];
  }
}
