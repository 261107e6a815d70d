import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type proto from '@temporalio/proto';
import { slowestScheduleToStart } from '../../../src/sandbox/bench/latencies.js';
import { ownMs } from '../../../src/sandbox/bench/own-time.js';
import { statistic } from '../../../src/sandbox/bench/statistic.js';
import { typedCommands } from '../../../src/sandbox/bench/typed-commands.js';

describe('the statistic of several runs', () => {
  const cases: [string, number[], [number, number, number]][] = [
    ['of one value is that value', [7], [7, 7, 7]],
    ['has the middle of an odd number of values, whatever their order', [30, 10, 20], [10, 20, 30]],
    ['has the mean of the two in the middle of an even number', [1, 100, 2, 4], [1, 3, 100]],
    ['compares numbers, not their texts', [10, 9, 100], [9, 10, 100]],
  ];
  for (const [promise, values, [min, median, max]] of cases)
    it(promise, () => assert.deepEqual(statistic(values), { min, median, max }));

  it('of nothing does not exist', () => assert.throws(() => statistic([]), /no values/));
});

describe('the commands that a person types', () => {
  const output = `
$ certstrap init --common-name Booking --passphrase 
Created out/Booking.key (encrypted by passphrase)

$ tcld n ca add --namespace ns
  price: $ 5

$ temporal workflow list --limit 1
Error: tls: unknown certificate authority

$ temporal workflow list --limit 1

Done: the workers run with a leaf of the CA in /out.
`;
  it('are those that the script prints after a dollar sign, not what the tools say', () =>
    assert.deepEqual(typedCommands(output), [
      'certstrap init --common-name Booking --passphrase ',
      'tcld n ca add --namespace ns',
      'temporal workflow list --limit 1',
    ]));
});

describe('the time of its own of a leaf rotation', () => {
  it('is the whole without the waits that were asked for and without the rollout', () => {
    const times = {
      whole: { from: 1000, to: 21_000 },
      rollout: { from: 6000, to: 18_000 },
      configuredMs: [1000, 2000],
    };
    assert.equal(ownMs(times), 5000);
  });
});

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;
let eventId = 0;

const at = (ms: number, attributes: Omit<HistoryEvent, 'eventTime'>): HistoryEvent => ({
  eventId: ++eventId as never,
  eventTime: { seconds: Math.floor(ms / 1000) as never, nanos: (ms % 1000) * 1e6 },
  ...attributes,
});
const taskScheduled = (ms: number) => at(ms, { workflowTaskScheduledEventAttributes: {} });
const taskStarted = (ms: number) => at(ms, { workflowTaskStartedEventAttributes: {} });
const taskTimedOut = (ms: number, startedEventId: number) =>
  at(ms, { workflowTaskTimedOutEventAttributes: { startedEventId: startedEventId as never } });

/** An activity that waits from `scheduled` to `started`. */
function activity(scheduled: number, started: number): HistoryEvent[] {
  const first = at(scheduled, { activityTaskScheduledEventAttributes: {} });
  return [first, at(started, { activityTaskStartedEventAttributes: { scheduledEventId: first.eventId! } })];
}

describe('the slowest schedule-to-start of a history', () => {
  const cases: [string, () => HistoryEvent[], number][] = [
    ['is that of a workflow task', () => [taskScheduled(1000), taskStarted(1250), ...activity(1300, 1310)], 250],
    ['or of an activity', () => [taskScheduled(1000), taskStarted(1005), ...activity(1300, 2310)], 1010],
    [
      'each task is paired with its own start',
      () => {
        const [one, oneStarted] = activity(0, 500);
        const [other, otherStarted] = activity(400, 600);
        return [one!, other!, oneStarted!, otherStarted!];
      },
      500,
    ],
    [
      'goes on where nobody took the task from the queue of its former worker',
      () => [taskScheduled(0), taskTimedOut(5000, 0), taskScheduled(5000), taskStarted(5100)],
      5100,
    ],
    [
      'ends when a worker had the task, even if that worker never completed it',
      () => [taskScheduled(0), taskStarted(10), taskTimedOut(10_010, 2), taskScheduled(10_010), taskStarted(10_030)],
      20,
    ],
    ['of an empty history is none', () => [], 0],
  ];
  for (const [promise, events, slowest] of cases)
    it(promise, () => assert.equal(slowestScheduleToStart(events()), slowest));
});
