import type { GatewayEvent } from './record.js';

export interface Measures {
  /**
   * Between first and last traffic: the time in which no worker process had a workflow-task poll, or none had an
   * activity-task poll, open or being worked on. Client connections never count (safety 28).
   */
  readonly workerDowntimeMs: number;
  readonly minPollingWorkers: number;
  /** Every call attempt and handshake of workers and starters that failed. */
  readonly failedCalls: number;
  readonly failedByCode: Readonly<Record<string, number>>;
  /** Refusals of leaves that no worker or starter has: deliberate probes. */
  readonly refusedProbes: number;
  /** Poll timeouts and polls that ended with their connection; listed, not counted. */
  readonly exceptedByCode: Readonly<Record<string, number>>;
}

export interface MeasureOptions {
  readonly namespace: string;
  readonly taskQueue: string;
  /** Fingerprints of the leaves of workers and starters. Refusals of other leaves are probes, counted apart. */
  readonly leaves: ReadonlySet<string>;
  readonly from?: number;
  readonly until?: number;
}

type PollKind = 'PollWorkflowTaskQueue' | 'PollActivityTaskQueue';
const pollKinds: readonly PollKind[] = ['PollWorkflowTaskQueue', 'PollActivityTaskQueue'];
/** How a poll may end without a failure of anybody: its time is over, or its connection was asked to go. */
const endsOfPolls = new Set(['Canceled', 'DeadlineExceeded', 'Unavailable']);

export function measure(events: readonly GatewayEvent[], options: MeasureOptions): Measures {
  const inside = events.filter(
    ({ t, namespace }) => namespace === options.namespace && t >= (options.from ?? 0) && t <= (options.until ?? Infinity),
  );
  const calls = failures(inside, options);
  const gaps = pollKinds.map((kind) => coverage(intervals(inside, kind, options.taskQueue), inside));
  return {
    workerDowntimeMs: Math.round(Math.max(...gaps.map((gap) => gap.uncoveredMs))),
    minPollingWorkers: Math.min(...gaps.map((gap) => gap.least)),
    ...calls,
  };
}

function failures(events: readonly GatewayEvent[], { leaves }: MeasureOptions) {
  let refusedProbes = 0;
  const failedByCode: Record<string, number> = {};
  const exceptedByCode: Record<string, number> = {};
  const count = (into: Record<string, number>, code: string) => (into[code] = (into[code] ?? 0) + 1);
  for (const event of events) {
    const probe = event.leaf !== undefined && !leaves.has(event.leaf);
    if (event.kind === 'refused' && probe) refusedProbes += 1;
    if (probe) continue;
    if (event.kind === 'refused') count(failedByCode, `handshake: ${event.reason ?? ''}`);
    if (event.kind !== 'rpc-end' || event.code === 'OK') continue;
    const poll = event.method?.startsWith('Poll') || event.method === 'GetWorkflowExecutionHistory';
    count(poll && endsOfPolls.has(event.code ?? '') ? exceptedByCode : failedByCode, `${event.method}: ${event.code}`);
  }
  const failedCalls = Object.values(failedByCode).reduce((sum, calls) => sum + calls, 0);
  return { failedCalls, failedByCode, refusedProbes, exceptedByCode };
}

interface Interval {
  readonly worker: string;
  readonly from: number;
  readonly to: number;
}

/** From the start of a poll to its end; with a task, on to the call that completes the task. */
function intervals(events: readonly GatewayEvent[], kind: PollKind, taskQueue: string): readonly Interval[] {
  const starts = new Map<number, GatewayEvent>();
  const completions = new Map<string, number>();
  const last = events.at(-1)?.t ?? 0;
  for (const event of events) {
    if (event.kind === 'rpc-end' && event.method?.startsWith('Respond') && event.task) completions.set(event.task, event.t);
  }
  const found: Interval[] = [];
  for (const event of events) {
    if (event.method !== kind || event.call === undefined || event.identity === undefined) continue;
    if (event.kind === 'rpc-start') {
      starts.set(event.call, event);
      continue;
    }
    const from = starts.get(event.call)?.t ?? event.t;
    starts.delete(event.call);
    const to = event.task ? (completions.get(event.task) ?? event.t) : event.t;
    if (event.taskQueue === taskQueue || event.taskQueue?.startsWith(`/_sys/${taskQueue}/`)) found.push({ worker: event.identity, from, to });
  }
  for (const event of starts.values()) {
    if (event.taskQueue === taskQueue) found.push({ worker: event.identity ?? '', from: event.t, to: last });
  }
  return found;
}

/** Sweeps over the intervals: how long nobody polled, and how few workers polled at least. */
function coverage(found: readonly Interval[], events: readonly GatewayEvent[]): { uncoveredMs: number; least: number } {
  const [first, last] = [Math.min(...found.map(({ from }) => from)), Math.max(...found.map(({ to }) => to))];
  if (!Number.isFinite(first)) return { uncoveredMs: (events.at(-1)?.t ?? 0) - (events[0]?.t ?? 0), least: 0 };
  const edges = found
    .flatMap(({ worker, from, to }) => [
      { t: from, worker, step: 1 },
      { t: to, worker, step: -1 },
    ])
    .sort((a, b) => a.t - b.t || b.step - a.step);
  const open = new Map<string, number>();
  let uncoveredMs = 0;
  let least = Infinity;
  let nobodySince: number | undefined;
  for (const { t, worker, step } of edges) {
    const count = (open.get(worker) ?? 0) + step;
    if (count > 0) open.set(worker, count);
    else open.delete(worker);
    if (open.size > 0 && nobodySince !== undefined) {
      uncoveredMs += t - nobodySince;
      nobodySince = undefined;
    }
    if (open.size === 0 && t < last) nobodySince = t;
    if (t > first && t < last) least = Math.min(least, open.size);
  }
  return { uncoveredMs, least: Number.isFinite(least) ? least : 0 };
}
