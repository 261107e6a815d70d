import { setTimeout as wait } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { reportIdentity, type Report } from '../domain/reports.js';

export interface Reporting extends Report {
  /** Task queue that it polls. */
  readonly queue: string;
  readonly connection: Connection;
  readonly namespace: string;
}

const pollMs = 30_000;
const againAfterMs = 2000;

/** Reports it (domain/reports.ts) until `signal` says that it is so no more. */
export async function keepReporting(reporting: Reporting, signal: AbortSignal): Promise<void> {
  const { queue, connection, namespace } = reporting;
  const request = { namespace, taskQueue: { name: queue }, identity: reportIdentity(reporting) };
  while (!signal.aborted) {
    const poll = () => connection.workflowService.pollActivityTaskQueue(request);
    // Whatever a poll ends with, the next one says the same; a connection that is refused reports nothing.
    await connection
      .withAbortSignal(signal, () => connection.withDeadline(Date.now() + pollMs, poll))
      .catch(() => undefined);
    await wait(againAfterMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
