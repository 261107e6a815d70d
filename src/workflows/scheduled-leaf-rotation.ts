import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import { leafRotationId } from '../domain/ids.js';
import { parseScheduledRequest } from '../domain/requests.js';
import type { LeafRotationResult, ScheduledLeafRotationRequest } from '../domain/rotation.js';
import { accepted, rootOf } from './failures.js';
import { runUnderFixedId } from './fixed-id.js';
import { leafRotation } from './leaf-rotation.js';
import { read } from './options.js';

/**
 * What the schedule starts: the leaf rotation of each target, as a child under the target's fixed id, because a schedule
 * appends its time to the id of what it starts itself. A target that is being rotated already is skipped. One that fails
 * does not keep the others from being renewed; the run fails at the end and names them.
 */
export async function scheduledLeafRotation(
  request?: ScheduledLeafRotationRequest,
): Promise<readonly LeafRotationResult[]> {
  const wanted = accepted('scheduledLeafRotation', parseScheduledRequest(request));
  const targets =
    wanted.targets ??
    (await read.listTargets.executeWithOptions({ summary: 'Read the targets of the configuration' }, []));
  const results: LeafRotationResult[] = [];
  const failed: string[] = [];
  for (const target of targets) {
    try {
      results.push(await rotateIfDue(target));
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      failed.push(`${target}: ${rootOf(error).message}`);
    }
  }
  if (failed.length > 0) throw ApplicationFailure.nonRetryable(`Not renewed: ${failed.join('; ')}`, 'LeavesNotRenewed');
  return results;
}

async function rotateIfDue(target: string): Promise<LeafRotationResult> {
  const result = await runUnderFixedId({
    workflow: leafRotation,
    workflowId: leafRotationId(target),
    input: { target, onlyWhenDue: true },
    summary: `Rotate the leaf of ${target}`,
  });
  return result ?? { target, outcome: 'skipped', reason: 'A rotation of this target is running already' };
}
