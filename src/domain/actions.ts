/**
 * Billable actions of a history, by the rules of docs.temporal.io/cloud/actions. Of the rules, these leave no trace in a
 * history: queries, rejected updates, a schedule's own changes, exports. Heartbeats leave none either and are bounded apart.
 */
export interface CountedEvent {
  /** Event type as the proto names it, without its prefix: `ActivityTaskScheduled`. */
  readonly type: string;
  /** Attempt of ActivityTaskStarted: every retry is an action. */
  readonly attempt?: number;
  /** The workflow was started by a schedule, or by a parent. */
  readonly startedBy?: 'schedule' | 'parent';
  /** The run continues another as new: whoever started the first started only that one. */
  readonly continued?: boolean;
  /** The signal came with the start: both together are one action. */
  readonly withStart?: boolean;
  /** WorkflowTaskFailed that a reset wrote. */
  readonly reset?: boolean;
  /** Marker of a local activity: the event id of the workflow task that ran it. Those of one task are one action. */
  readonly localActivityOf?: number;
}

const oneEach = new Set([
  'ActivityTaskScheduled',
  'NexusOperationScheduled',
  'TimerStarted',
  'WorkflowExecutionSignaled',
  'WorkflowExecutionUpdateAccepted',
  'UpsertWorkflowSearchAttributes',
]);

export function countActions(events: readonly CountedEvent[]): number {
  const localActivities = new Set(events.flatMap(({ localActivityOf }) => localActivityOf ?? []));
  return events.reduce((sum, event) => sum + actionsOf(event), localActivities.size);
}

function actionsOf({ type, attempt, withStart, reset, ...start }: CountedEvent): number {
  if (type === 'WorkflowExecutionStarted') return actionsOfStart(start);
  if (type === 'ActivityTaskStarted') return Math.max(0, (attempt ?? 1) - 1);
  if (type === 'WorkflowTaskFailed') return reset ? 1 : 0;
  return oneEach.has(type) && !withStart ? 1 : 0;
}

/** A schedule's firing is three actions and a child's start two, the start of the workflow itself included. */
function actionsOfStart({ startedBy, continued }: Pick<CountedEvent, 'startedBy' | 'continued'>): number {
  if (continued || !startedBy) return 1;
  return startedBy === 'schedule' ? 3 : 2;
}

/** An activity, with all its attempts. */
export interface HeartbeatingActivity {
  /** Absent: it has not ended, and is not counted yet. */
  readonly seconds?: number;
  /** Absent: it cannot heartbeat. */
  readonly heartbeatTimeoutSeconds?: number;
}

/**
 * At most so many heartbeats reached the server, an action each: the first at once, then one per 80% of the heartbeat
 * timeout, which the SDK holds back to. A bound, because a history does not show them.
 */
export function heartbeatsAtMost(activities: readonly HeartbeatingActivity[]): number {
  return activities.reduce(
    (sum, { seconds, heartbeatTimeoutSeconds: timeout }) =>
      sum + (seconds !== undefined && timeout ? 1 + Math.floor(seconds / (0.8 * timeout)) : 0),
    0,
  );
}
