import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';

const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/** Reads and small writes: seconds each. */
export const quick = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '15m',
  retry,
});

/**
 * Changes of a namespace and proofs: minutes, heartbeating. The schedule-to-close timeout is long because a rotation that
 * gives up in a cloud outage would only have to be started again by hand.
 */
export const patient = proxyActivities<Activities>({
  startToCloseTimeout: '40m',
  scheduleToCloseTimeout: '6h',
  heartbeatTimeout: '1m',
  retry,
});
