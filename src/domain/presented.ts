import type { Fingerprint } from './certificate.js';
import { isOfPod } from './pollers.js';

/**
 * How a process says which certificate it presents, with no privilege but those that its certificate gives it: it polls a
 * task queue that nobody puts tasks on, over a connection made with that certificate, and its identity says the rest. Polls
 * are no billed actions, and whoever may describe task queues reads them.
 */
export const presentedQueue = 'cert-rotation.presented';

interface Report {
  readonly identity: string;
  /** RFC 3339, by the server's clock. */
  readonly lastAccessTime: string;
}

const separator = ' presents ';
/** A process that works polls at least so often, or else it is gone. */
const silentAfterMs = 150_000;

export const presentedIdentity = (process: string, leaf: Fingerprint): string => `${process}${separator}${leaf}`;

/** What the processes of this pod present by their newest reports, each leaf once; none where none reports. */
export function presentedBy(pod: string, reports: readonly Report[]): readonly Fingerprint[] {
  const newest = new Map<string, { leaf: Fingerprint; at: number }>();
  for (const { identity, lastAccessTime } of reports) {
    const [process, leaf] = identity.split(separator);
    if (process === undefined || leaf === undefined || !isOfPod(process, pod)) continue;
    const at = Date.parse(lastAccessTime);
    if (at >= (newest.get(process)?.at ?? -Infinity)) newest.set(process, { leaf, at });
  }
  const all = [...newest.values()];
  const latest = Math.max(...all.map(({ at }) => at));
  return [...new Set(all.filter(({ at }) => at > latest - silentAfterMs).map(({ leaf }) => leaf))];
}
