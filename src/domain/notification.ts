/** What people are told, and who wants to hear it. Public data only: it travels through workflow histories. */
import type { Fingerprint } from './certificate.js';

/** The closed set of things that people are told of. A notifier's configuration chooses among them. */
export const notificationEvents = [
  /** A certificate reached one of the steps before its end. */
  'expiry',
  /** A CA rotation waits for a person. */
  'approvalWanted',
  /** A target of a CA rotation failed, and waits for a person: retry, skip or abort. Or: somebody else changed what a namespace admits. */
  'decisionWanted',
  /** A restart or a removal does not wait for its maintenance window, because a certificate expires before that opens. */
  'windowsGaveWay',
  /** A CA is compromised: what whoever has its key can still do, after each step. */
  'emergency',
  /** A CA rotation ended: rotated, both CAs kept because somebody rejected the removal, or aborted. */
  'caDone',
  /** A leaf was renewed. Daily, where leaves are; told only to those who ask for it. */
  'leafDone',
  /** A rotation failed, or the watch over expiry could not see everything. */
  'failed',
  /** A failure was undone: a target is back on a pair that works, or a removed CA is trusted again. */
  'restored',
] as const;

export type NotificationEvent = (typeof notificationEvents)[number];

export type Severity = 'info' | 'warning' | 'critical';

export interface Notification {
  /** The same for every attempt to send it: receivers tell a repeat by it. */
  readonly id: string;
  readonly event: NotificationEvent | 'test';
  readonly severity: Severity;
  /** RFC 3339. */
  readonly at: string;
  /** One line: the subject of a mail. */
  readonly title: string;
  /** What happened and what state things are in, one fact a line. */
  readonly lines: readonly string[];
  /** What a person can run now. */
  readonly commands: readonly string[];
  /** The run that tells it. */
  readonly workflow?: { readonly workflowId: string; readonly runId: string };
  /** Of an `expiry`, the most urgent first. */
  readonly certificates?: readonly ExpiringCertificate[];
}

/** What a workflow has to say; the rest of the notification says which run says it, and when. */
export interface Message extends Pick<Notification, 'title' | 'lines' | 'commands' | 'certificates'> {
  readonly event: NotificationEvent;
  /** Absent: the event's. */
  readonly severity?: Severity;
}

export interface ExpiringCertificate {
  readonly fingerprint: Fingerprint;
  readonly sha1: string;
  readonly subject: string;
  /** RFC 3339. */
  readonly notAfter: string;
  /** Where it is, in words. */
  readonly places: readonly string[];
}

/** A notifier, as plans name it. */
export interface Subscription {
  readonly notifier: string;
  readonly events: readonly NotificationEvent[];
}

export function notifiersFor(subscriptions: readonly Subscription[], event: NotificationEvent): readonly string[] {
  return subscriptions.filter(({ events }) => events.includes(event)).map(({ notifier }) => notifier);
}

export const severityOf: Readonly<Record<NotificationEvent, Severity>> = {
  expiry: 'warning',
  approvalWanted: 'warning',
  decisionWanted: 'critical',
  windowsGaveWay: 'warning',
  emergency: 'critical',
  caDone: 'info',
  leafDone: 'info',
  failed: 'critical',
  restored: 'critical',
};

/**
 * The same text with every line in one line. Names in other people's certificates are foreign: a line break in one must not
 * become a header of a mail or a line of its own.
 */
export function printable(notification: Notification): Notification {
  return {
    ...notification,
    title: oneLine(notification.title),
    lines: notification.lines.map(oneLine),
    commands: notification.commands.map(oneLine),
  };
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}
