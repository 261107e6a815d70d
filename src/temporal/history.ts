import { status } from '@grpc/grpc-js';
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { countActions, heartbeatsAtMost, type CountedEvent } from '../domain/actions.js';
import { phaseOfActivity } from '../domain/rotation.js';
import { temporalFailure } from './failures.js';

const { EventType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
const resetCause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW;
const localActivityMarker = 'core_local_activity';
type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** One activity of a rotation, as its history tells it: no live worker is needed to know. */
export interface Step {
  readonly phase: string;
  readonly activity: string;
  /** What it does, in words. */
  readonly summary: string;
  readonly state: 'running' | 'done' | 'failed';
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds?: number;
  /** Absent: it does not heartbeat. */
  readonly heartbeatTimeoutSeconds?: number;
  readonly failure?: string;
}

export interface Timer {
  /** What the time is for; absent where the workflow gave none. */
  readonly summary?: string;
  /** RFC 3339. */
  readonly firesAt: string;
}

export interface Told {
  readonly steps: readonly Step[];
  /** What the last run of each activity returned. */
  readonly results: Readonly<Record<string, unknown>>;
  /** A timer runs: it waits for time to pass, or for a person. */
  readonly waiting: boolean;
  /** The timer that it waits for. */
  readonly timer?: Timer;
  readonly outcome: 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed out';
  /** Why; of a termination, in the words of whoever terminated it. */
  readonly failure?: string;
  /** What the workflow was started with. */
  readonly input?: unknown;
  /** What the workflow returned. */
  readonly result?: unknown;
  /** RFC 3339. */
  readonly startedAt: string;
  /** RFC 3339; of the last event. */
  readonly at: string;
  readonly actions: number;
  /** Listed apart, because no history shows them: actions of heartbeats, at most. */
  readonly heartbeatsAtMost: number;
  /** Workflow ids of the children, in the order of their start. */
  readonly children: readonly string[];
}

/** Reads a history and folds it. Costs no billable action. */
export async function tell(client: Client, workflowId: string, runId?: string): Promise<Told> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return foldHistory(events ?? []);
}

/** Of that run, or the last one. Undefined when Temporal knows none: there was none, or its retention is over. */
export async function tellIfKnown(client: Client, workflowId: string, runId?: string): Promise<Told | undefined> {
  try {
    return await tell(client, workflowId, runId);
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === status.NOT_FOUND && !temporalFailure(error)) return undefined;
    throw error;
  }
}

/**
 * Follows a run to its end, as its history grows: one long poll at a time, no billable action, no live worker needed.
 */
export async function* watch(client: Client, workflowId: string, runId?: string): AsyncGenerator<Told> {
  const events: HistoryEvent[] = [];
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution: { workflowId, ...(runId && { runId }) },
      waitNewEvent: true,
      ...(nextPageToken && { nextPageToken }),
    });
    events.push(...(page.history?.events ?? []));
    nextPageToken = page.nextPageToken;
    const told = foldHistory(events);
    if (events.length > 0) yield told;
    if (told.outcome !== 'running') return;
  } while (nextPageToken && nextPageToken.length > 0);
}

export function foldHistory(events: readonly HistoryEvent[]): Told {
  const steps = new Map<string, Step>();
  const results: Record<string, unknown> = {};
  const timers = new Map<string, Timer>();
  let end: Ending = { outcome: 'running' };
  for (const event of events) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) steps.set(String(event.eventId), begun(event));
    const closed = closedActivity(event);
    const step = closed && steps.get(closed.id);
    if (step)
      steps.set(closed.id, {
        ...step,
        state: closed.failure ? 'failed' : 'done',
        seconds: (ms(event) - Date.parse(step.startedAt)) / 1000,
        ...(closed.failure && { failure: closed.failure }),
      });
    if (step && closed.result) results[step.activity] = valueOf(closed.result);
    if (event.timerStartedEventAttributes) timers.set(event.timerStartedEventAttributes.timerId ?? '', timerOf(event));
    if (event.timerFiredEventAttributes) timers.delete(event.timerFiredEventAttributes.timerId ?? '');
    if (event.timerCanceledEventAttributes) timers.delete(event.timerCanceledEventAttributes.timerId ?? '');
    end = endOf(event) ?? end;
  }
  const timer = [...timers.values()].at(-1);
  return {
    steps: [...steps.values()],
    results,
    waiting: timer !== undefined,
    ...(timer && { timer }),
    ...end,
    input: valueOf(events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]),
    startedAt: new Date(ms(events[0] ?? {})).toISOString(),
    at: new Date(ms(events.at(-1) ?? {})).toISOString(),
    actions: countActions(events.map(counted)),
    heartbeatsAtMost: heartbeatsAtMost([...steps.values()]),
    children: events.flatMap(
      (event) => event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId ?? [],
    ),
  };
}

function begun(event: HistoryEvent): Step {
  const { activityType, heartbeatTimeout } = event.activityTaskScheduledEventAttributes ?? {};
  const activity = activityType?.name ?? '';
  const heartbeatTimeoutSeconds = Number(heartbeatTimeout?.seconds ?? 0);
  return {
    phase: phaseOfActivity[activity] ?? '',
    activity,
    summary: valueOf<string>(event.userMetadata?.summary) ?? activity,
    state: 'running',
    startedAt: new Date(ms(event)).toISOString(),
    ...(heartbeatTimeoutSeconds > 0 && { heartbeatTimeoutSeconds }),
  };
}

function timerOf(event: HistoryEvent): Timer {
  const lasts = event.timerStartedEventAttributes?.startToFireTimeout;
  const summary = valueOf<string>(event.userMetadata?.summary);
  const firesAt = ms(event) + Number(lasts?.seconds ?? 0) * 1000 + Math.floor((lasts?.nanos ?? 0) / 1e6);
  return { firesAt: new Date(firesAt).toISOString(), ...(summary && { summary }) };
}

function valueOf<T>(payload: unknown): T | undefined {
  return payload ? defaultPayloadConverter.fromPayload<T>(payload as Payload) : undefined;
}

function closedActivity(event: HistoryEvent): { id: string; failure?: string; result?: unknown } | undefined {
  const { activityTaskCompletedEventAttributes: completed, activityTaskFailedEventAttributes: failed } = event;
  const { activityTaskTimedOutEventAttributes: timedOut, activityTaskCanceledEventAttributes: cancelled } = event;
  if (completed) return { id: String(completed.scheduledEventId), result: completed.result?.payloads?.[0] };
  if (failed) return { id: String(failed.scheduledEventId), failure: failed.failure?.message ?? 'failed' };
  if (timedOut) return { id: String(timedOut.scheduledEventId), failure: timedOut.failure?.message ?? 'timed out' };
  if (cancelled) return { id: String(cancelled.scheduledEventId), failure: 'cancelled' };
  return undefined;
}

type Ending = Pick<Told, 'outcome' | 'failure' | 'result'>;

function endOf(event: HistoryEvent): Ending | undefined {
  const failed = event.workflowExecutionFailedEventAttributes;
  const completed = event.workflowExecutionCompletedEventAttributes;
  if (completed) return { outcome: 'completed', result: valueOf(completed.result?.payloads?.[0]) };
  if (failed) return { outcome: 'failed', failure: rootMessage(failed.failure) };
  if (event.workflowExecutionCanceledEventAttributes) return { outcome: 'cancelled' };
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) return { outcome: 'terminated', ...(terminated.reason && { failure: terminated.reason }) };
  if (event.workflowExecutionTimedOutEventAttributes) return { outcome: 'timed out' };
  return undefined;
}

/** The innermost cause says what happened; the wrappers only say where. */
function rootMessage(failure: proto.temporal.api.failure.v1.IFailure | null | undefined): string {
  return failure?.cause ? rootMessage(failure.cause) : (failure?.message ?? 'failed');
}

function ms({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1e6);
}

function counted(event: HistoryEvent): CountedEvent {
  const name = EventType[event.eventType ?? 0] ?? '';
  const type = name
    .replace('EVENT_TYPE_', '')
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
  const started = event.workflowExecutionStartedEventAttributes;
  const bySchedule = started?.searchAttributes?.indexedFields?.['TemporalScheduledById'] !== undefined;
  const startedBy = bySchedule ? 'schedule' : started?.parentWorkflowExecution ? 'parent' : undefined;
  const attempt = event.activityTaskStartedEventAttributes?.attempt;
  const marker = event.markerRecordedEventAttributes;
  return {
    type,
    ...(typeof attempt === 'number' && { attempt }),
    ...(startedBy && { startedBy }),
    ...(started?.continuedExecutionRunId && { continued: true }),
    // Nothing but the start itself comes before the first workflow task.
    ...(event.workflowExecutionSignaledEventAttributes && Number(event.eventId) === 2 && { withStart: true }),
    ...(event.workflowTaskFailedEventAttributes?.cause === resetCause && { reset: true }),
    ...(marker?.markerName === localActivityMarker && {
      localActivityOf: Number(marker.workflowTaskCompletedEventId),
    }),
  };
}
