import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { measure, type MeasureOptions } from '../../src/sandbox/gateway/measures.js';
import type { GatewayEvent } from '../../src/sandbox/gateway/record.js';

const namespace = 'ns.acct';
const options: MeasureOptions = {
  namespace,
  taskQueue: 'booking',
  leaves: new Set(['ours']),
  traffic: { from: 0, to: 10_000 },
};

let calls = 0;

interface Poll {
  readonly worker?: string;
  readonly kind?: 'Workflow' | 'Activity';
  readonly code?: string;
  readonly attempt?: number;
  /** With a task: when it was completed. */
  readonly workedUntil?: number;
  readonly taskQueue?: string;
}

/** The events of one poll from `from` to `to`. */
function poll(from: number, to: number, { worker = 'w1', kind = 'Workflow', ...rest }: Poll = {}): GatewayEvent[] {
  const call = ++calls;
  const common = { namespace, frontend: 0, leaf: 'ours' };
  const method = `Poll${kind}TaskQueue`;
  const { code = 'OK', attempt, workedUntil, taskQueue = 'booking' } = rest;
  const about = { ...common, method, call, identity: worker, taskQueue };
  const task = workedUntil === undefined ? {} : { task: `task-${call}` };
  const completed = {
    ...common,
    t: workedUntil ?? 0,
    method: `Respond${kind}TaskCompleted`,
    call: ++calls,
    code: 'OK',
  };
  return [
    { ...about, t: from, kind: 'rpc-start' },
    { ...about, ...task, t: to, kind: 'rpc-end', code, ...(attempt !== undefined && { attempt }) },
    ...(workedUntil === undefined ? [] : [{ ...completed, ...task, kind: 'rpc-end' as const }]),
  ];
}

/** Both kinds of polls, all the time. */
const steady = (worker: string): GatewayEvent[] => [
  ...poll(0, 10_000, { worker }),
  ...poll(0, 10_000, { worker, kind: 'Activity' }),
];

function call(method: string, code: string, leaf = 'ours'): GatewayEvent {
  return { t: 5000, kind: 'rpc-end', namespace, frontend: 0, leaf, call: ++calls, method, code };
}

const refusal = (leaf: string): GatewayEvent => ({
  t: 5000,
  kind: 'refused',
  namespace,
  frontend: 0,
  leaf,
  reason: 'unknown authority',
});

describe('safety 28: downtime is the time in which no worker polls for workflow tasks, or none for activity tasks', () => {
  const activities = poll(0, 10_000, { kind: 'Activity' });
  const cases: [string, GatewayEvent[], number, number][] = [
    ['three workers that poll: none', ['w1', 'w2', 'w3'].flatMap(steady), 0, 3],
    ['a planted gap of 500 ms is reported', [...poll(0, 4000), ...poll(4500, 10_000), ...activities], 500, 0],
    ['in polls for activity tasks, too', [...poll(0, 10_000), ...poll(500, 10_000, { kind: 'Activity' })], 500, 0],
    [
      'gaps of both kinds at different times add up',
      [...poll(0, 4000), ...poll(4500, 10_000), ...poll(0, 9000, { kind: 'Activity' })],
      1500,
      0,
    ],
    [
      'gaps of both kinds at the same time count once',
      [
        ...poll(0, 4000),
        ...poll(4500, 10_000),
        ...poll(0, 4100, { kind: 'Activity' }),
        ...poll(4400, 10_000, { kind: 'Activity' }),
      ],
      500,
      0,
    ],
    ['a gap that another worker covers: none', [...steady('w1'), ...poll(0, 4000, { worker: 'w2' })], 0, 1],
    [
      'a worker that works on a task is there',
      [...poll(0, 4000, { workedUntil: 4500 }), ...poll(4500, 10_000), ...activities],
      0,
      1,
    ],
    ['before the first poll and after the last', [...poll(100, 9800), ...activities], 300, 0],
    [
      'polls of another task queue do not count',
      [...poll(0, 10_000, { taskQueue: 'other' }), ...activities],
      10_000,
      0,
    ],
    [
      'a partition of the task queue counts',
      [...poll(0, 10_000, { taskQueue: '/_sys/booking/1' }), ...activities],
      0,
      1,
    ],
    ['without any poll, the whole time', [], 10_000, 0],
    [
      'polls before and after the traffic change nothing',
      [...poll(-900, 10_000), ...poll(0, 12_000, { kind: 'Activity' })],
      0,
      1,
    ],
  ];
  for (const [promise, events, downtime, least] of cases) {
    it(promise, () => {
      const measures = measure(
        events.toSorted((a, b) => a.t - b.t),
        options,
      );
      assert.equal(measures.workerDowntimeMs, downtime);
      assert.equal(measures.minPollingWorkers, least);
    });
  }

  it('a poll that is still open lasts until the end of the traffic, though nothing was recorded since', () => {
    const open = (['Workflow', 'Activity'] as const).flatMap((kind) => poll(0, 0, { kind }).slice(0, 1));
    assert.equal(measure(open, options).workerDowntimeMs, 0);
  });
});

describe('safety 28: every failed attempt of a worker or starter is counted', () => {
  const cases: [string, GatewayEvent[], number][] = [
    ['none in a healthy run', steady('w1'), 0],
    ['a planted refused call', [call('StartWorkflowExecution', 'PermissionDenied')], 1],
    [
      'an attempt that the client repeated with success',
      [call('StartWorkflowExecution', 'Unavailable'), call('StartWorkflowExecution', 'OK')],
      1,
    ],
    ['a refused handshake', [refusal('ours')], 1],
    ['an activity attempt after the first', poll(0, 10, { kind: 'Activity', attempt: 2, workedUntil: 20 }), 1],
    ['not the first attempt of an activity', poll(0, 10, { kind: 'Activity', attempt: 1, workedUntil: 20 }), 0],
    [
      'not a poll whose time was over or whose connection ended',
      [...poll(0, 10, { code: 'DeadlineExceeded' }), ...poll(0, 10, { code: 'Unavailable' })],
      0,
    ],
    ['but a poll that was refused', poll(0, 10, { code: 'PermissionDenied' }), 1],
  ];
  for (const [promise, events, failed] of cases)
    it(promise, () => assert.equal(measure(events, options).failedCalls, failed));

  it('a deliberate probe is counted apart: its refusal is the proof', () => {
    const measures = measure(
      [refusal('a probe of the old CA'), call('GetSystemInfo', 'PermissionDenied', 'a probe')],
      options,
    );
    assert.deepEqual([measures.failedCalls, measures.refusedProbes], [0, 1]);
  });

  it('one without a certificate is a probe only where probes may come so', () => {
    const { leaf: _none, ...naked } = refusal('nobody');
    const counts = (probesShowNoLeaf: boolean) => {
      const { failedCalls, refusedProbes } = measure([naked], { ...options, probesShowNoLeaf });
      return [failedCalls, refusedProbes];
    };
    assert.deepEqual(
      [counts(false), counts(true)],
      [
        [1, 0],
        [0, 1],
      ],
    );
  });

  it('what is excepted is listed by its code', () => {
    const { exceptedByCode } = measure(poll(0, 10, { code: 'Unavailable' }), options);
    assert.deepEqual(exceptedByCode, { 'PollWorkflowTaskQueue: Unavailable': 1 });
  });
});
