import { Connection, type Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { allEnded } from '../all-ended.js';
import type { Poller } from '../targets/target.js';

const { TaskQueueType } = proto.temporal.api.enums.v1;
/** Whoever watches must know soon that Temporal does not answer. */
const deadlineMs = 10_000;

/** Who polls a task queue, workflow and activity pollers together (DescribeTaskQueue: not a billed action). */
export async function pollersOf(
  client: Client,
  taskQueue: { namespace: string; name: string },
): Promise<readonly Poller[]> {
  if (!(client.connection instanceof Connection)) throw new TypeError('pollers are read through a plain connection');
  const types = [TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY];
  const answers = await client.withDeadline(Date.now() + deadlineMs, () =>
    allEnded(
      types.map((taskQueueType) =>
        client.workflowService.describeTaskQueue({
          namespace: taskQueue.namespace,
          taskQueue: { name: taskQueue.name },
          taskQueueType,
        }),
      ),
    ),
  );
  return answers.flatMap((answer) =>
    (answer.pollers ?? []).map((poller) => ({
      identity: poller.identity ?? '',
      lastAccessTime: toRfc3339(poller.lastAccessTime),
    })),
  );
}

function toRfc3339(time: { seconds?: unknown; nanos?: number | null } | null | undefined): string {
  return new Date(Number(time?.seconds ?? 0) * 1000 + Math.floor((time?.nanos ?? 0) / 1e6)).toISOString();
}
