import { completed, type Booking, type HistoryEvent } from '../steady-traffic.js';

export interface Latencies {
  readonly bookings: number;
  /** The longest that a task of theirs, workflow or activity, lay there before a worker had it. */
  readonly slowestScheduleToStartMs: number;
  /** The longest from start to end of a booking. */
  readonly slowestBookingMs: number;
}

/** Of these bookings once they are all completed, however long that takes; from their histories, by Temporal's own clock. */
export async function latenciesOf(bookings: readonly Booking[]): Promise<Latencies> {
  const histories = await completed(bookings);
  return {
    bookings: histories.length,
    slowestScheduleToStartMs: Math.max(0, ...histories.map(slowestScheduleToStart)),
    slowestBookingMs: Math.max(0, ...histories.map((events) => ms(events.at(-1)) - ms(events[0]))),
  };
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
