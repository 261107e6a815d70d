import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities.js';

const { reserveSeat } = proxyActivities<typeof activities>({ startToCloseTimeout: '30s' });

/** One booking: a workflow task, an activity, another workflow task. Enough to notice a worker that is away. */
export async function book(flight: string): Promise<string> {
  return reserveSeat(flight);
}
