import { CancellationScope, isCancellation, proxyActivities, uuid4, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import type { Claimed } from '../domain/notices.js';
import {
  notifiersFor,
  severityOf,
  type Message,
  type Notification,
  type Subscription,
} from '../domain/notification.js';
import { endedBadly } from '../domain/rotation-messages.js';
import { rootOf } from './failures.js';
import type { StatusBoard } from './status.js';

const { notify, tellNotice } = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  retry: { initialInterval: '5s', maximumInterval: '5m' },
});

/** So long is it tried. Nobody waits for a warning; an end waits for its last words, but not for good news. */
const patience = { info: '2m', warning: '6h', critical: '15m' } as const;

/**
 * Tells people about a rotation, by every notifier that wants this event; without one it schedules nothing. Never throws and
 * is not cancelled: a notifier that fails never fails a rotation, it is reported in the status. Await it where the workflow
 * ends; elsewhere the rotation goes on meanwhile.
 */
export async function tell(
  subscriptions: readonly Subscription[] = [],
  board: StatusBoard,
  message: Message,
): Promise<void> {
  await CancellationScope.nonCancellable(() =>
    Promise.all(
      notifiersFor(subscriptions, message.event).map(async (notifier) => {
        const problems = await send(notifier, message).catch((error: unknown) => [notTold(notifier, error)]);
        problems.forEach((problem) => board.problem(problem));
      }),
    ),
  );
}

export interface Telling<Result> {
  readonly notifiers: readonly Subscription[] | undefined;
  readonly board: StatusBoard;
  /** What `cert-rotation status` takes. */
  readonly name: string;
  /** What there is to say of a good end. */
  readonly done: (result: Result) => Message | undefined;
}

/** Does `work`, tells people how it ended, with the problems on the way, and ends so. */
export async function tellingTheEnd<Result>(
  { notifiers, board, name, done }: Telling<Result>,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await work();
    const message = done(result);
    if (message) await tell(notifiers, board, { ...message, lines: [...message.lines, ...board.problems] });
    return result;
  } catch (error) {
    const { subject, undone } = board;
    const [reason, cancelled] = [rootOf(error).message, isCancellation(error)];
    await tell(notifiers, board, endedBadly({ subject, name, reason, cancelled, undone }));
    throw error;
  }
}

/**
 * Hands `message` over, and says what went wrong although it was taken. What the watch claimed for it is put on record as told
 * where it is sent. Throws what the activity threw.
 */
export async function send(
  notifier: string,
  message: Message,
  claimed?: Pick<Claimed, 'run' | 'ids'>,
): Promise<readonly string[]> {
  const { workflowId, runId } = workflowInfo();
  const usual = severityOf[message.event];
  const notification: Notification = {
    id: uuid4(),
    at: new Date().toISOString(),
    severity: usual,
    workflow: { workflowId, runId },
    ...message,
  };
  const options = { summary: `Tell ${notifier}: ${message.event}`, scheduleToCloseTimeout: patience[usual] };
  const { warnings } = claimed
    ? await tellNotice.executeWithOptions(options, [{ notifier, notification, ...claimed }])
    : await notify.executeWithOptions(options, [{ notifier, notification }]);
  return warnings;
}

export function notTold(notifier: string, error: unknown): string {
  return `${notifier} was not told: ${rootOf(error).message}`;
}
