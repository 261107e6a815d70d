import type { GatewayEvent } from './record.js';

export const pollKinds = ['PollWorkflowTaskQueue', 'PollActivityTaskQueue'] as const;
export type PollKind = (typeof pollKinds)[number];

/** A time in which a worker process polled, or worked on what the poll gave it. Milliseconds since the epoch. */
export interface PollSpan {
  readonly worker: string;
  readonly from: number;
  readonly to: number;
}

/** How a poll may end without a failure of anybody: its time is over, or its connection was asked to go. */
const endsOfPolls = new Set(['Canceled', 'DeadlineExceeded', 'Unavailable']);

export function isPollEnd({ method, code }: GatewayEvent): boolean {
  const polls = method?.startsWith('Poll') || method === 'GetWorkflowExecutionHistory';
  return Boolean(polls) && endsOfPolls.has(code ?? '');
}

/**
 * From the start of a poll to its end; with a task, on to the call that completes the task. A poll without an end lasts at least
 * `until`, which is no later than the record was read: between two calls nothing is written, and the polls are there all the same.
 */
export function pollSpans(
  events: readonly GatewayEvent[],
  kind: PollKind,
  taskQueue: string,
  until = 0,
): readonly PollSpan[] {
  const starts = new Map<number, GatewayEvent>();
  const completions = completionsOf(events);
  const last = Math.max(until, events.at(-1)?.t ?? 0);
  const spans: PollSpan[] = [];
  for (const event of events) {
    const { call, identity, t, task } = event;
    if (event.method !== kind || call === undefined || identity === undefined || !isOf(taskQueue, event)) continue;
    if (event.kind === 'rpc-start') {
      starts.set(call, event);
      continue;
    }
    const from = starts.get(call)?.t ?? t;
    starts.delete(call);
    spans.push({ worker: identity, from, to: task ? (completions.get(task) ?? t) : t });
  }
  const open = [...starts.values()].map(({ identity, t }) => ({ worker: identity ?? '', from: t, to: last }));
  return [...spans, ...open];
}

/** When each task was completed, by the task. */
function completionsOf(events: readonly GatewayEvent[]): ReadonlyMap<string, number> {
  const responses = events.filter(
    ({ kind, method, task }) => kind === 'rpc-end' && method?.startsWith('Respond') && task,
  );
  return new Map(responses.map(({ task, t }) => [task!, t]));
}

/** The task queue itself, or a partition of it. */
function isOf(name: string, { taskQueue }: GatewayEvent): boolean {
  return taskQueue === name || Boolean(taskQueue?.startsWith(`/_sys/${name}/`));
}
