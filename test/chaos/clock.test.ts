import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { caRotationId } from '../../src/domain/ids.js';
import type { RotationStatus } from '../../src/domain/rotation.js';
import { booking } from '../../src/sandbox/configuration.js';
import { rotateCa, rotateLeaf } from '../../src/sandbox/demo/rotations.js';
import { eventually } from '../support/eventually.js';
import { SandboxRun } from '../support/sandbox-run.js';

const progress = (line: string) => void process.stderr.write(`${line}\n`);
const minute = 60_000;

describe('the clock of the rotation worker is off', () => {
  let run: SandboxRun;
  let clock: string;
  /** The worker sees the file a moment later. */
  async function offBy(ms: number): Promise<void> {
    await writeFile(clock, String(ms));
    await eventually(async () => (await readFile(`${clock}.taken`, 'utf8')) === String(ms));
  }

  before(async () => {
    run = await SandboxRun.begin((dir) => {
      clock = join(dir, 'clock-off-by');
      writeFileSync(clock, '0');
      const preloaded = fileURLToPath(new URL('../support/skewed-clock.js', import.meta.url));
      return { workerEnvironment: { NODE_OPTIONS: `--import=${preloaded}`, CLOCK_OFF_BY: clock } };
    });
    await run.everyWorkerPolls();
  });
  after(() => run?.stop());

  for (const [name, ms] of [
    ['four minutes behind', -4 * minute],
    ['four minutes ahead', 4 * minute],
  ] as const)
    it(`${name}: a CA rotation and a leaf rotation end as ever, and no call fails`, async () => {
      await offBy(ms);
      const [old] = run.bundle();
      const { result } = await rotateCa(run.client, progress);
      await run.noteLeaves();
      assert.deepEqual([result.outcome, run.bundle()], ['rotated', [result.newFingerprint]]);
      assert.notEqual(result.newFingerprint, old);
      const { proved } = await run.client.workflow
        .getHandle(caRotationId(booking.authority))
        .query<RotationStatus>('status');
      assert.match(proved.join('\n'), /refuses a leaf of CA \w{8} that it admitted before the removal/);
      await rotateLeaf(run.client, progress);
      await run.noteLeaves();
      const { failedByCode, workerDowntimeMs } = await run.measures();
      assert.deepEqual([failedByCode, workerDowntimeMs], [{}, 0]);
    });

  it('by more than five minutes: refused by name, before anything is changed', async () => {
    const trusted = run.bundle();
    for (const ms of [-6 * minute, 6 * minute]) {
      await offBy(ms);
      const failure: unknown = await rotateCa(run.client, progress).catch((error: unknown) => error);
      assert.match(String(failure), /Nothing was changed: the clock here is 3(59|60|61) s (behind|ahead of)/);
    }
    assert.deepEqual(run.bundle(), trusted);
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
