import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';
import type { Config } from '../config/schema.js';
import { leafScheduleId, scheduledLeafRotationId } from '../domain/ids.js';

/** The leaf rotation's schedule as the configuration has it. A missed run is caught up within the hour. */
export function leafSchedule({ schedule, temporal }: Config) {
  return {
    scheduleId: leafScheduleId,
    // The server keeps the calendar that an expression means, and what stands behind the # as its comment.
    spec: {
      cronExpressions: [`${schedule.cron} # ${schedule.cron}`],
      timezone: schedule.timezone,
      jitter: schedule.jitter,
    },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledLeafRotation',
      workflowId: scheduledLeafRotationId,
      taskQueue: temporal.taskQueue,
      args: [{}],
      staticSummary: 'Rotate every leaf that is due',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1h', pauseOnFailure: false },
  } satisfies ScheduleOptions;
}

/** Creates the schedule, or brings it up to date; a paused one stays paused. */
export async function applyLeafSchedule(client: Client, config: Config): Promise<'created' | 'updated'> {
  const wanted = leafSchedule(config);
  try {
    await client.schedule.create(wanted);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, action, policies } = wanted;
    await client.schedule.getHandle(leafScheduleId).update((current) => ({ ...current, spec, action, policies }));
    return 'updated';
  }
}

export async function triggerLeafSchedule(client: Client): Promise<void> {
  await client.schedule.getHandle(leafScheduleId).trigger(ScheduleOverlapPolicy.SKIP);
}
