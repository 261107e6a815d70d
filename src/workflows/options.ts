import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';

/** What cannot be mended by trying again says so itself (`nonRetryable`, domain/failures.ts); the rest is tried at leisure. */
const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' } as const;

/**
 * A cancelled workflow goes on only once its activity has ended: what it did is known then, and undone. Said explicitly,
 * because without it SDK 1.24 does not wait, whatever its documentation says.
 */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

/** Looks and changes nothing. A rotation that cannot even look has done nothing yet: it gives up soon and says why. */
export const read = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '15m',
  retry,
  cancellationType,
});

/** Looks in the middle of a rotation: without its answer nothing goes on, and giving up would throw away days; as long as `write`. */
export const readOn = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '6h',
  retry,
  cancellationType,
});

/** Looks while a person waits for the answer: the command that asks gives up after a minute (cli/intervene.ts). */
export const prompt = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '45s',
  retry,
  cancellationType,
});

/** Looks at every target of an authority, heartbeating from one to the next. */
export const inspecting = proxyActivities<Activities>({
  startToCloseTimeout: '1h',
  scheduleToCloseTimeout: '1h',
  heartbeatTimeout: '2m',
  retry,
  cancellationType,
});

/** One small conditional write, seconds long. Giving up would leave half a step, so an outage of hours is sat out. */
export const write = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '6h',
  retry,
  cancellationType,
});

/**
 * Changes of a namespace, rollouts and proofs: minutes, heartbeating, so that a worker that dies is replaced within a
 * minute. Each ends by a deadline of its own with a failure that names what is missing; these timeouts are only the backstop.
 */
export const patient = proxyActivities<Activities>({
  startToCloseTimeout: '2h',
  scheduleToCloseTimeout: '12h',
  heartbeatTimeout: '1m',
  retry,
  cancellationType,
});

/** Holds the watch after a removal: a dead worker must be replaced soon, because meanwhile nobody would undo. */
export const watchful = proxyActivities<Activities>({
  startToCloseTimeout: '2h',
  scheduleToCloseTimeout: '12h',
  heartbeatTimeout: '30s',
  retry: { ...retry, maximumInterval: '5s' },
  cancellationType,
});

/** Follows another run for as long as it may wait for people. */
export const following = proxyActivities<Activities>({
  startToCloseTimeout: '30 days',
  scheduleToCloseTimeout: '60 days',
  heartbeatTimeout: '1m',
  retry,
  cancellationType,
});

/** Room in the timeouts of `patient` and `watchful` for waits whose length the configuration says. */
export const lasting = (ms: number) => ({
  startToCloseTimeout: ms + 2 * hourMs,
  scheduleToCloseTimeout: ms + 12 * hourMs,
});

const hourMs = 3_600_000;
