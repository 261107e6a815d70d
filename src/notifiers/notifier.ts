import type { Notification } from '../domain/notification.js';

/**
 * Port: what tells people. One call sends one message, within the notifier's `timeout`, and keeps nothing: whether and how
 * often to try again is Temporal's business, and what was told already is the keystore's (activities/expiry.ts). Secrets,
 * addresses with secrets in them included, are resolved from their references for each message, so that a changed one
 * needs no restart and a missing one fails only this.
 *
 * Throws only RotationError: the Notifier* types, RecipientRefused, ReferenceUnreadable. Their messages hold the name of the
 * notifier and codes, never an address with secrets, a credential, or what the far side said: its words are foreign, may
 * repeat what was sent, and would land in a history.
 */
export interface Notifier {
  /** The far side has taken the message. */
  send(notification: Notification): Promise<Sent>;
}

export interface Sent {
  /** What went wrong although the message was taken: recipients that were refused while others were not. */
  readonly warnings: readonly string[];
}
