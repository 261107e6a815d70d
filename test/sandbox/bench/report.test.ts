import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IssuingRun } from '../../../src/sandbox/bench/issuing.js';
import { machine } from '../../../src/sandbox/bench/machine.js';
import type { Measured } from '../../../src/sandbox/bench/procedure.js';
import { report, type Circumstances } from '../../../src/sandbox/bench/report.js';
import type { RotationRun } from '../../../src/sandbox/bench/rotations.js';
import { tables } from '../../../src/sandbox/bench/table.js';

const circumstances: Circumstances = {
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:10:00.000Z',
  machine: machine(),
  quick: false,
  loads: [0.1, 0.5, 0.4],
};

const measured = (own: Partial<Measured>): Measured => ({
  typed: [],
  seconds: 1,
  temporalActions: 0,
  heartbeatsAtMost: 0,
  workerDowntimeMs: 0,
  minPollingWorkers: 2,
  failedCalls: 0,
  failedByCode: {},
  bookings: 100,
  slowestScheduleToStartMs: 10,
  slowestBookingMs: 20,
  ...own,
});

const rotationRun = (downtime: number, ownSeconds: number): RotationRun => ({
  steady: measured({}),
  leaf: measured({ typed: ['cert-rotation rotate leaf x'], ownSeconds, temporalActions: 9 }),
  ca: measured({ typed: ['cert-rotation rotate ca x', 'cert-rotation approve x'] }),
  caByHand: measured({
    typed: Array.from({ length: 11 }, (_, index) => `command ${index}`),
    workerDowntimeMs: downtime,
  }),
  leafByHand: measured({ failedCalls: downtime }),
});

const issuingRun = (leavesPerSecond: number, rawPerSecond: number): IssuingRun => ({
  commands: [
    { tool: 'built-in', commands: 'a Node process', algorithm: 'P-256', leavesPerSecond },
    { tool: 'tcld', commands: 'tcld gen leaf', algorithm: 'P-384', leavesPerSecond: 2 * leavesPerSecond },
  ],
  inProcess: (['P-256', 'P-384', 'RSA-2048'] as const).map((algorithm) => ({
    algorithm,
    madePerSecond: leavesPerSecond,
    leavesPerSecond: leavesPerSecond / 2,
    rawPerSecond,
  })),
});

describe('the report of a benchmark', () => {
  const rotations = [rotationRun(5000, 1.5), rotationRun(7000, 1.1), rotationRun(6000, 1.3)];
  const issuing = [issuingRun(10, 20), issuingRun(30, 40), issuingRun(20, 100)];
  const made = report(circumstances, { rotations, issuing });

  it('has min, median and max of every measure of every procedure', () => {
    const { caByHand, leafByHand, leaf, ca } = made.rotations!;
    assert.deepEqual(caByHand.workerDowntimeMs, { min: 5000, median: 6000, max: 7000 });
    assert.deepEqual(leafByHand.failedCalls, { min: 5000, median: 6000, max: 7000 });
    assert.deepEqual(leaf.ownSeconds, { min: 1.1, median: 1.3, max: 1.5 });
    assert.equal(leaf.temporalActions.median, 9);
    assert.equal(ca.ownSeconds, undefined);
    assert.deepEqual(
      [caByHand, ca, leaf].map(({ typedCommands }) => typedCommands.median),
      [11, 2, 1],
    );
  });

  it('compares the issuer with `node:crypto` run by run, not the medians of both', () => {
    const [row] = made.issuing!.inProcess;
    assert.deepEqual(row!.madePerSecond, { min: 10, median: 20, max: 30 });
    assert.deepEqual(row!.leavesPerSecond, { min: 5, median: 10, max: 15 });
    assert.deepEqual(row!.rawPerSecond, { min: 20, median: 40, max: 100 });
    assert.deepEqual(row!.share, { min: 0.2, median: 0.5, max: 0.75 });
  });

  it('holds every run, and is the same after JSON', () => {
    assert.deepEqual(made.runs, { rotations, issuing });
    assert.deepEqual(JSON.parse(JSON.stringify(made)), made);
  });

  it('leaves out what was not measured', () => {
    assert.equal('rotations' in report(circumstances, { rotations: [], issuing }), false);
    assert.equal('issuing' in report(circumstances, { rotations, issuing: [] }), false);
  });

  it('as tables for people: a number that did not differ alone, others with their min and max', () => {
    const text = tables(made).join('\n');
    assert.match(text, /\| worker downtime, ms +\| 0 +\| 0 +\| 6000 \(5000–7000\) +\| 0 +\| 0 +\|/);
    assert.match(text, /\| of which its own +\| +\| 1\.30 \(1\.10–1\.50\) +\| +\| +\| +\|/);
    assert.match(text, /\| tcld gen leaf +\| +\| 40\.0 \(20\.0–60\.0\) +\| +\|/);
    assert.match(text, /built-in, made: share of `node:crypto` alone, % +\| 50 \(20–75\)/);
    assert.match(text, /Load of the last minute before each run: 0\.1, 0\.5, 0\.4/);
  });

  it('every line of a table is as long as its header', () => {
    const lines = tables(made).filter((line) => line.startsWith('|'));
    const lengths = new Set(lines.map(({ length }) => length));
    assert.ok(lines.length > 15);
    assert.equal(lengths.size, 2);
  });
});
