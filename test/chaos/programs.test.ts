import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Report } from '../../src/sandbox/bench/report.js';
import type { DemoResult } from '../../src/sandbox/demo/index.js';
import { ended, spawnProgram, type Ran } from '../support/starter.js';

const quickBookingsPerSecond = 3;

/** What `npm run demo` and `npm run bench` run once everything is built. */
async function run(name: string, ...args: readonly string[]): Promise<Ran> {
  const child = spawnProgram(name, args, process.env);
  child.stderr!.pipe(process.stderr, { end: false });
  return ended(child);
}

describe('the demo and the benchmark, as a person runs them', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const kinds of [
    { cloud: 'tcld', issuer: 'tcld', probe: 'temporal-cli', rollout: 'rolling' },
    { cloud: 'tcld', issuer: 'certstrap', probe: 'temporal-cli', rollout: 'scale' },
  ])
    it(`the demo with ${Object.values(kinds).join(', ')} rotates leaf and CA, and no call fails`, async () => {
      const flags = Object.entries(kinds).flatMap(([seam, kind]) => [`--${seam}`, kind]);
      const { code, stdout } = await run('sandbox/demo/main', '--json', ...flags);
      const result = JSON.parse(stdout) as DemoResult;
      assert.deepEqual(result.failedByCode, {});
      assert.deepEqual([code, result.ok, result.kinds], [0, true, kinds]);
      // Scaling to 0 is an outage, which its users allow.
      assert.equal(result.workerDowntimeMs > 0, kinds.rollout === 'scale');
      assert.equal(result.workflowsCompleted, result.workflowsStarted);
      for (const { oldFingerprint, newFingerprint } of [result.leaf, result.ca])
        assert.notEqual(newFingerprint, oldFingerprint);
    });

  it('the quick benchmark measures every procedure and every maker, and only the article has downtime', async () => {
    const file = join(folder, 'bench.json');
    const { code, stdout } = await run('sandbox/bench/main', '--quick', '--json', '--file', file);
    assert.equal(code, 0);
    const report = JSON.parse(stdout) as Report;
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), report);
    const { rotations, issuing } = report;
    for (const name of ['steady', 'leaf', 'ca'] as const)
      assert.deepEqual([rotations![name].workerDowntimeMs.max, rotations![name].failedCalls.max], [0, 0], name);
    for (const name of ['leafByHand', 'caByHand'] as const)
      assert.ok(rotations![name].workerDowntimeMs.min > 0, `${name} scales to 0`);
    for (const [name, { bookings, seconds }] of Object.entries(rotations!))
      assert.ok(
        bookings.min >= quickBookingsPerSecond * seconds.min - 2,
        `${name}: ${bookings.min} bookings in ${seconds.min} s: the traffic paused`,
      );
    const { temporalActions } = rotations!.leaf;
    assert.ok(temporalActions.max <= 12, `a leaf rotation costs ${temporalActions.max} Temporal actions`);
    const makers = new Set(issuing!.commands.map(({ tool }) => tool));
    assert.deepEqual(makers, new Set(['built-in', 'tcld', 'certstrap', 'openssl']));
    assert.deepEqual(
      issuing!.inProcess.map(({ algorithm }) => algorithm),
      ['P-256', 'P-384', 'RSA-2048'],
    );
  });
});
