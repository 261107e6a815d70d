import type { Config } from '../config/schema.js';
import type { Notification, Subscription } from '../domain/notification.js';
import type { Sent } from '../notifiers/notifier.js';
import type { Dependencies } from './dependencies.js';

/** The notifiers named, or all of them where none is, with the events that each wants. */
export function subscriptions({ notifiers }: Config, names: readonly string[] | undefined): readonly Subscription[] {
  return (names ?? Object.keys(notifiers)).map((notifier) => ({ notifier, events: notifiers[notifier]?.events ?? [] }));
}

export function notifyActivities(deps: Dependencies) {
  /** One message by one notifier, so that the retry of one repeats nothing of another. */
  async function notify({ notifier, notification }: { notifier: string; notification: Notification }): Promise<Sent> {
    return deps.notifier(notifier).send(notification);
  }

  return { notify };
}
