/**
 * Billable actions of a history, by the rules of docs.temporal.io/cloud/actions. Heartbeats are not in a history: whoever
 * counts them lists them apart.
 */
export interface CountedEvent {
  /** Event type as the proto names it, without its prefix: `ActivityTaskScheduled`. */
  readonly type: string;
  /** Attempt of ActivityTaskStarted: every retry is an action. */
  readonly attempt?: number;
  /** The workflow was started by a schedule, or by a parent. */
  readonly startedBy?: 'schedule' | 'parent';
}

const oneEach = new Set([
  'ActivityTaskScheduled',
  'TimerStarted',
  'WorkflowExecutionSignaled',
  'WorkflowExecutionUpdateAccepted',
  'UpsertWorkflowSearchAttributes',
]);

export function countActions(events: readonly CountedEvent[]): number {
  return events.reduce((sum, event) => sum + actionsOf(event), 0);
}

/** A schedule's firing is three actions and a child's start two, the start of the workflow itself included. */
function actionsOf({ type, attempt, startedBy }: CountedEvent): number {
  if (type === 'WorkflowExecutionStarted') return startedBy === 'schedule' ? 3 : startedBy === 'parent' ? 2 : 1;
  if (type === 'ActivityTaskStarted') return Math.max(0, (attempt ?? 1) - 1);
  return oneEach.has(type) ? 1 : 0;
}
