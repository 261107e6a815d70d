import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';
import type { Config } from '../config/schema.js';
import { expiryNoticesId, expiryScheduleId, leafScheduleId, scheduledLeafRotationId } from '../domain/ids.js';

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

/** The watch over expiring certificates. A missed look is caught up within the day: the next one would tell it, too. */
export function expirySchedule({ schedule, notices, temporal }: Config) {
  return {
    scheduleId: expiryScheduleId,
    spec: {
      cronExpressions: [`${notices.cron} # ${notices.cron}`],
      timezone: schedule.timezone,
      jitter: schedule.jitter,
    },
    action: {
      type: 'startWorkflow',
      workflowType: 'expiryNotices',
      workflowId: expiryNoticesId,
      taskQueue: temporal.taskQueue,
      args: [],
      staticSummary: 'Look for certificates that expire',
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '12h', pauseOnFailure: false },
  } satisfies ScheduleOptions;
}

export type Applied = 'created' | 'updated';

/** Creates the schedule, or brings it up to date; a paused one stays paused. */
export function applyLeafSchedule(client: Client, config: Config): Promise<Applied> {
  return apply(client, leafSchedule(config));
}

/** Both schedules, by their ids. */
export async function applySchedules(client: Client, config: Config): Promise<Readonly<Record<string, Applied>>> {
  return {
    [leafScheduleId]: await applyLeafSchedule(client, config),
    [expiryScheduleId]: await apply(client, expirySchedule(config)),
  };
}

type Wanted = ReturnType<typeof leafSchedule> | ReturnType<typeof expirySchedule>;

async function apply(client: Client, wanted: Wanted): Promise<Applied> {
  try {
    await client.schedule.create(wanted);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { scheduleId, spec, action, policies } = wanted;
    await client.schedule.getHandle(scheduleId).update((current) => ({ ...current, spec, action, policies }));
    return 'updated';
  }
}

/** Runs it now, unless it is running. */
export async function triggerSchedule(client: Client, schedule: string): Promise<void> {
  await client.schedule.getHandle(schedule).trigger(ScheduleOverlapPolicy.SKIP);
}
