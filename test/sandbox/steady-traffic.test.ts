import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it, mock } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { latenciesOf } from '../../src/sandbox/bench/latencies.js';
import * as activities from '../../src/sandbox/booking/activities.js';
import { booking } from '../../src/sandbox/configuration.js';
import { underTraffic, type Booking } from '../../src/sandbox/steady-traffic.js';
import { eventually } from '../support/eventually.js';
import { WorkflowTests } from '../support/temporal-env.js';

const workflowsPath = fileURLToPath(new URL('../../src/sandbox/booking/workflows.ts', import.meta.url));

const described = async (one: Booking) => (await one).describe();

describe('bookings of the benchmark', () => {
  let tests: WorkflowTests;
  before(async () => (tests = await WorkflowTests.onDevServer()));
  after(() => tests.stop());
  const traffic = () => ({ client: tests.env.client, perSecond: 20 });

  it('are started while no worker is there, and all of their wait for one is in the numbers', async () => {
    const { nativeConnection: connection } = tests.env;
    const worker = await Worker.create({ connection, taskQueue: booking.taskQueue, workflowsPath, activities });
    let working: Promise<void> | undefined;
    let all: readonly Booking[] = [];
    const { waited, seen } = await underTraffic(traffic(), async ({ bookings }) => {
      all = bookings;
      await eventually(async () => bookings.length > 10);
      const waiting = bookings.slice(0, 11);
      const [first, last] = await Promise.all([waiting[0]!, waiting[10]!].map(described));
      working = worker.run();
      return { waited: last!.startTime.getTime() - first!.startTime.getTime(), seen: await latenciesOf(waiting) };
    });
    const ends = await Promise.all(all.map(async (one) => (await described(one)).status.name));
    assert.deepEqual(new Set(ends), new Set(['COMPLETED']), 'not every booking was waited for');
    worker.shutdown();
    await working;
    assert.equal(seen.bookings, 11);
    assert.ok(seen.slowestScheduleToStartMs >= waited, `${seen.slowestScheduleToStartMs} ms of ${waited}`);
    assert.ok(seen.slowestBookingMs >= seen.slowestScheduleToStartMs);
  });

  it('that end otherwise than completed make the measurement fail', async () => {
    await assert.rejects(
      underTraffic(traffic(), async ({ bookings }) => {
        await eventually(async () => bookings.length > 0);
        await (await bookings[0]!).terminate();
      }),
      /booking-1 was not completed: TERMINATED/,
    );
  });
});

describe('the rate of bookings', () => {
  const refusals = new Set<number>();
  let startedNow = 0;
  const handle = { describe: async () => ({ status: { name: 'COMPLETED' } }), fetchHistory: async () => ({}) };
  const start = async () => {
    startedNow += 1;
    if (refusals.has(startedNow)) throw new Error(`number ${startedNow} is refused`);
    return handle;
  };
  const traffic = { client: { workflow: { start } } as unknown as Client, perSecond: 12 };
  const pass = (ms: number) => mock.timers.tick(ms);
  beforeEach(() => {
    startedNow = 0;
    refusals.clear();
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  });
  afterEach(() => mock.timers.reset());

  it('is kept by the clock: timers that come late let no booking out', async () => {
    await underTraffic(traffic, async () => {
      for (const [ms, expected] of [
        [1000, 12],
        [4000, 60],
        [90, 61],
      ] as const) {
        pass(ms);
        assert.equal(startedNow, expected);
      }
      for (let passed = 0; passed < 10_000; passed += 10) pass(10);
      assert.equal(startedNow, 181);
    });
  });

  it('ends with the work, also when that fails', async () => {
    const failing = underTraffic(traffic, async () => {
      pass(1000);
      throw new Error('the rotation failed');
    });
    await assert.rejects(failing, /the rotation failed/);
    pass(10_000);
    assert.equal(startedNow, 12);
  });

  it('is kept in spite of bookings that cannot be started, and these make the measurement fail, counted', async () => {
    for (const number of [3, 7]) refusals.add(number);
    await assert.rejects(
      underTraffic(traffic, async () => pass(1000)),
      /2 of 12 bookings could not be started: number 3 is refused/,
    );
  });
});
