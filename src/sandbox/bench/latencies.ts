import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type proto from '@temporalio/proto';
import type { Span } from '../gateway/measures.js';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

export interface Latencies {
  /** Bookings started in the span. */
  readonly bookings: number;
  /** The longest that a task of theirs, workflow or activity, lay there before a worker had it. */
  readonly slowestScheduleToStartMs: number;
  /** The longest from start to end of a booking. */
  readonly slowestBookingMs: number;
}

const endWithinMs = 120_000;
const atOnce = 8;

/** Of the bookings started in the span, once they have all ended; from their histories, by Temporal's own clock. */
export async function latenciesOf(client: Client, span: Span): Promise<Latencies> {
  const query = startedIn(span);
  await untilAllEnded(client, query);
  let [bookings, slowestScheduleToStartMs, slowestBookingMs] = [0, 0, 0];
  const fetched = client.workflow.list({ query, pageSize: 1000 }).intoHistories({ concurrency: atOnce });
  for await (const { history } of fetched) {
    const events = (history as proto.temporal.api.history.v1.IHistory).events ?? [];
    bookings += 1;
    slowestScheduleToStartMs = Math.max(slowestScheduleToStartMs, slowestScheduleToStart(events));
    slowestBookingMs = Math.max(slowestBookingMs, ms(events.at(-1)) - ms(events[0]));
  }
  return { bookings, slowestScheduleToStartMs, slowestBookingMs };
}

/** A list query: the bookings started in the span. */
export function startedIn({ from, to }: Span): string {
  const [since, until] = [from, to].map((time) => new Date(time).toISOString());
  return `WorkflowType = "book" AND StartTime BETWEEN "${since}" AND "${until}"`;
}

async function untilAllEnded(client: Client, query: string): Promise<void> {
  const deadline = Date.now() + endWithinMs;
  for (;;) {
    const { count } = await client.workflow.count(`${query} AND ExecutionStatus = "Running"`);
    if (count === 0) return;
    if (Date.now() > deadline)
      throw new Error(`this machine is too busy: ${count} bookings have not ended in ${endWithinMs / 1000} s`);
    await wait(300);
  }
}

/**
 * The longest wait of a task in one history. A workflow task that nobody took from the queue of its former worker is scheduled again
 * for any worker: it has waited since the first time.
 */
export function slowestScheduleToStart(events: readonly HistoryEvent[]): number {
  const activities = new Map<string, number>();
  let waitingSince: number | undefined;
  let slowest = 0;
  for (const event of events) {
    const at = ms(event);
    const activity = event.activityTaskStartedEventAttributes;
    if (event.workflowTaskScheduledEventAttributes) waitingSince ??= at;
    if (event.workflowTaskStartedEventAttributes) {
      slowest = Math.max(slowest, at - (waitingSince ?? at));
      waitingSince = undefined;
    }
    if (event.activityTaskScheduledEventAttributes) activities.set(String(event.eventId), at);
    if (activity) slowest = Math.max(slowest, at - (activities.get(String(activity.scheduledEventId)) ?? at));
  }
  return slowest;
}

function ms(event: HistoryEvent | undefined): number {
  return Number(event?.eventTime?.seconds ?? 0) * 1000 + Math.floor((event?.eventTime?.nanos ?? 0) / 1e6);
}
