import { setTimeout as wait } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type proto from '@temporalio/proto';
import { booking } from './configuration.js';

export type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** A booking whose start was called; rejected when the start failed. */
export type Booking = Promise<WorkflowHandle>;

export interface SteadyTraffic {
  /** All so far, in the order of their starts; it grows. */
  readonly bookings: readonly Booking[];
}

export interface TrafficOptions {
  readonly client: Client;
  readonly perSecond: number;
}

/**
 * Does the work while this process starts bookings, whether a worker is there or not, and none after it, however it ends. Throws
 * when a booking could not be started or was not completed: what was measured meanwhile is worth nothing.
 */
export async function underTraffic<T>(
  options: TrafficOptions,
  work: (traffic: SteadyTraffic) => Promise<T>,
): Promise<T> {
  const bookings: Booking[] = [];
  const stop = startBookings(options, bookings);
  let result: T;
  try {
    result = await work({ bookings });
  } finally {
    stop();
    await Promise.allSettled(bookings);
  }
  await completed(bookings);
  return result;
}

/**
 * Adds a booking whenever one is due by the clock: a timer that comes late delays some, and lets none out. Returns what ends
 * that.
 */
function startBookings({ client, perSecond }: TrafficOptions, bookings: Booking[]): () => void {
  const began = Date.now();
  const dueIn = (): number => began + ((bookings.length + 1) * 1000) / perSecond - Date.now();
  const startThoseDue = (): void => {
    while (dueIn() <= 0) bookings.push(startBooking(client, bookings.length + 1));
    timer = setTimeout(startThoseDue, dueIn());
  };
  let timer = setTimeout(startThoseDue, dueIn());
  return () => clearTimeout(timer);
}

function startBooking(client: Client, number: number): Booking {
  const { taskQueue } = booking;
  const start = client.workflow.start('book', { workflowId: `booking-${number}`, taskQueue, args: [`LH${number}`] });
  // Its error is told by `completed`.
  start.catch(() => undefined);
  return start;
}

const completedWithinMs = 120_000;

/** Their histories, once each is completed. Throws when one never will be, or could not be started. */
export async function completed(bookings: readonly Booking[]): Promise<readonly (readonly HistoryEvent[])[]> {
  const deadline = Date.now() + completedWithinMs;
  const histories: (readonly HistoryEvent[])[] = [];
  for (const handle of await started(bookings)) {
    await untilCompleted(handle, deadline);
    histories.push((await handle.fetchHistory()).events ?? []);
  }
  return histories;
}

async function started(bookings: readonly Booking[]): Promise<readonly WorkflowHandle[]> {
  const settled = await Promise.allSettled(bookings);
  const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${bookings.length} bookings could not be started: ${failures[0]!.message}`);
  return Promise.all(bookings);
}

async function untilCompleted(handle: WorkflowHandle, deadline: number): Promise<void> {
  for (;;) {
    const { status } = await handle.describe();
    if (status.name === 'COMPLETED') return;
    if (status.name !== 'RUNNING') throw new Error(`${handle.workflowId} was not completed: ${status.name}`);
    if (Date.now() > deadline)
      throw new Error(
        `this machine is too busy: ${handle.workflowId} has not ended ${completedWithinMs / 1000} s after the traffic`,
      );
    await wait(300);
  }
}
