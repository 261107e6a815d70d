import type { Fingerprint } from './certificate.js';
import { isOfPod } from './pollers.js';

/**
 * How a process says something of itself, with no privilege but those that its certificate gives it: it polls a task queue
 * that nobody puts tasks on, and its identity says the rest. Polls are no billed actions, and whoever may describe task
 * queues reads them.
 */
/** Where a process says which leaf its connection was made with. */
export const presentedQueue = 'cert-rotation.presented';
/** Where the rotation workers of `taskQueue` say the digest of the configuration that they use. */
export const configuredQueue = (taskQueue: string): string => `${taskQueue}.configured`;

/** A poller, as DescribeTaskQueue shows it; the time is RFC 3339, by the server's clock. */
interface Poller {
  readonly identity: string;
  readonly lastAccessTime: string;
}

export interface Report {
  /** `<pid>@<host name>@<which of its connections>`: the host name of a pod is its name. */
  readonly process: string;
  readonly value: string;
}

/** With when it was said last (RFC 3339, by the server's clock). */
export type ReportSeen = Report & Pick<Poller, 'lastAccessTime'>;

const separator = ' reports ';
/** One that works polls at least so often, or else it is gone. */
const silentAfterMs = 75_000;

export const reportIdentity = ({ process, value }: Report): string => `${process}${separator}${value}`;

/** The newest report of each connection of each process that has not been silent for long while others reported. */
export function reportsOf(pollers: readonly Poller[]): readonly ReportSeen[] {
  const newest = new Map<string, ReportSeen & { readonly at: number }>();
  for (const { identity, lastAccessTime } of pollers) {
    const [process, value] = identity.split(separator);
    if (process === undefined || value === undefined) continue;
    const at = Date.parse(lastAccessTime);
    if (at >= (newest.get(process)?.at ?? -Infinity)) newest.set(process, { process, value, lastAccessTime, at });
  }
  const all = [...newest.values()];
  const latest = Math.max(...all.map(({ at }) => at));
  return all.filter(({ at }) => at > latest - silentAfterMs).map(({ at: _sorted, ...report }) => report);
}

/** What the processes of this pod present, each leaf once; none where none reports. */
export function presentedBy(pod: string, pollers: readonly Poller[]): readonly Fingerprint[] {
  const own = pollers.filter(({ identity }) => isOfPod(identity.split(separator)[0]!, pod));
  return [...new Set(reportsOf(own).map(({ value }) => value))];
}

/** Rotation workers that use another configuration than the one with this digest, a line each (safety 34). */
export function otherConfigurations(digest: string, pollers: readonly Poller[]): readonly string[] {
  const others = reportsOf(pollers).filter(({ value }) => value !== digest);
  return others
    .map(
      ({ process, value }) =>
        `rotation worker ${process} uses configuration ${value.slice(0, 12)}, not ${digest.slice(0, 12)}`,
    )
    .sort();
}
