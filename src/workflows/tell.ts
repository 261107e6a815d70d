import { CancellationScope, proxyActivities, uuid4, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import {
  notifiersFor,
  severityOf,
  type Message,
  type Notification,
  type Subscription,
} from '../domain/notification.js';
import { rootOf } from './failures.js';
import type { StatusBoard } from './status.js';

const options = { startToCloseTimeout: '2m', retry: { initialInterval: '5s', maximumInterval: '5m' } } as const;

/** A rotation that ends waits no longer for its last words. */
const { notify: soon } = proxyActivities<Activities>({ ...options, scheduleToCloseTimeout: '15m' });
/** Nobody waits for what the watch over expiry has to say. */
export const { notify: patiently } = proxyActivities<Activities>({ ...options, scheduleToCloseTimeout: '6h' });

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
        const problems = await send(soon, notifier, message).catch((error: unknown) => [notTold(notifier, error)]);
        problems.forEach((problem) => board.problem(problem));
      }),
    ),
  );
}

/** Hands `message` over, and says what went wrong although it was taken. Throws what the activity threw. */
export async function send(notify: typeof soon, notifier: string, message: Message): Promise<readonly string[]> {
  const { workflowId, runId } = workflowInfo();
  const notification: Notification = {
    id: uuid4(),
    at: new Date().toISOString(),
    severity: severityOf[message.event],
    workflow: { workflowId, runId },
    ...message,
  };
  const summary = `Tell ${notifier}: ${message.event}`;
  return (await notify.executeWithOptions({ summary }, [{ notifier, notification }])).warnings;
}

export function notTold(notifier: string, error: unknown): string {
  return `${notifier} was not told: ${rootOf(error).message}`;
}
