import { isPollEnd, pollSpans, pollKinds, type PollSpan } from './polls.js';
import type { GatewayEvent } from './record.js';

export interface Measures {
  /**
   * Within the traffic: the time in which no worker process had a workflow-task poll, or none had an activity-task poll, open
   * or being worked on. Client connections never count (safety 28).
   */
  readonly workerDowntimeMs: number;
  readonly minPollingWorkers: number;
  /** Every call attempt and handshake of workers and starters that failed, and every activity attempt after the first. */
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
  /** Probes of the Temporal CLI come without a certificate where the server names no CA of theirs; workers and starters never. */
  readonly probesShowNoLeaf?: boolean;
  /** First and last traffic, milliseconds since the epoch, before the record was read; absent: the first and the last poll. */
  readonly traffic?: Span | undefined;
}

/** Milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function measure(events: readonly GatewayEvent[], options: MeasureOptions): Measures {
  const inNamespace = events.filter(({ namespace }) => namespace === options.namespace);
  const polls = pollKinds.map((kind) => pollSpans(inNamespace, kind, options.taskQueue, options.traffic?.to));
  const traffic = options.traffic ?? extent(polls.flat());
  const coverages = polls.map((spans) => coverage(spans, traffic));
  return {
    workerDowntimeMs: Math.round(lengthOf(coverages.flatMap(({ gaps }) => gaps))),
    minPollingWorkers: Math.min(...coverages.map(({ least }) => least)),
    ...failures(inNamespace, options),
  };
}

function failures(events: readonly GatewayEvent[], { leaves, probesShowNoLeaf = false }: MeasureOptions) {
  let refusedProbes = 0;
  const failedByCode: Record<string, number> = {};
  const exceptedByCode: Record<string, number> = {};
  const count = (into: Record<string, number>, code: string) => (into[code] = (into[code] ?? 0) + 1);
  for (const event of events) {
    const probe = event.leaf === undefined ? probesShowNoLeaf && event.kind === 'refused' : !leaves.has(event.leaf);
    if (event.kind === 'refused' && probe) refusedProbes += 1;
    if (probe) continue;
    if (event.kind === 'refused') count(failedByCode, `handshake: ${event.reason ?? ''}`);
    if (event.kind !== 'rpc-end') continue;
    if ((event.attempt ?? 0) > 1) count(failedByCode, 'activity attempts after the first');
    if (event.code === 'OK') continue;
    count(isPollEnd(event) ? exceptedByCode : failedByCode, `${event.method}: ${event.code}`);
  }
  const failedCalls = Object.values(failedByCode).reduce((sum, calls) => sum + calls, 0);
  return { failedCalls, failedByCode, refusedProbes, exceptedByCode };
}

const extent = (spans: readonly Span[]): Span =>
  spans.length === 0
    ? { from: 0, to: 0 }
    : { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) };

interface Coverage {
  /** When nobody polled. */
  readonly gaps: readonly Span[];
  /** How many workers polled at least. */
  readonly least: number;
}

/** Sweeps over the polls within `traffic`; polls that touch leave no gap between them. */
function coverage(polls: readonly PollSpan[], traffic: Span): Coverage {
  const edges = polls
    .map(({ worker, from, to }) => ({ worker, from: Math.max(from, traffic.from), to: Math.min(to, traffic.to) }))
    .filter(({ from, to }) => from < to)
    .flatMap(({ worker, from, to }) => [
      { t: from, worker, step: 1 },
      { t: to, worker, step: -1 },
    ])
    .toSorted((a, b) => a.t - b.t || b.step - a.step);
  const open = new Map<string, number>();
  const gaps: Span[] = [];
  let least = Infinity;
  let since = traffic.from;
  const pass = (t: number) => {
    if (t <= since) return;
    least = Math.min(least, open.size);
    if (open.size === 0) gaps.push({ from: since, to: t });
    since = t;
  };
  for (const { t, worker, step } of edges) {
    pass(t);
    const count = (open.get(worker) ?? 0) + step;
    if (count > 0) open.set(worker, count);
    else open.delete(worker);
  }
  pass(traffic.to);
  return { gaps, least: Number.isFinite(least) ? least : 0 };
}

/** Length of what the spans cover together. */
function lengthOf(spans: readonly Span[]): number {
  let [length, covered] = [0, -Infinity];
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    length += Math.max(0, to - Math.max(from, covered));
    covered = Math.max(covered, to);
  }
  return length;
}
