import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { automatic, fakeActivities, plan, type FakeActivities } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

const threeHours = 3 * 3_600_000;

describe('maintenance windows', () => {
  let tests: WorkflowTests;
  let count = 0;
  let fakes: FakeActivities;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  const opensIn =
    (ms: number, by: 'window' | 'expiry' = 'window') =>
    async () => ({
      at: new Date((await tests.env.currentTimeMs()) + ms).toISOString(),
      by,
      line: 'the next one opens later',
    });

  async function rotateCa(overrides: Partial<Activities>, windowed = true): Promise<WorkflowHandle> {
    const authority = `authority-${(count += 1)}`;
    const planned = plan(authority, { approval: automatic, ...(windowed && { windowed }) });
    fakes = fakeActivities({ resolveCaRotation: async () => planned, ...overrides });
    tests.use(fakes);
    return tests.start('caRotation', caRotationId(authority), { authority });
  }

  it('a removal waits for its window, after the approval and before anything of it', async () => {
    const times: number[] = [];
    const nextWindow = async () => {
      times.push(await tests.env.currentTimeMs());
      return opensIn(threeHours)();
    };
    const markRetiring = async () => void times.push(await tests.env.currentTimeMs());
    const handle = await rotateCa({ nextWindow, markRetiring });
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'rotated');
    assert.ok(times[1]! - times[0]! >= threeHours);
    const { input } = fakes.calls.find(({ name }) => name === 'nextWindow')!;
    assert.equal(input['step'], 'removals');
    // The old CA must outlive the removal, its proof and its watch.
    assert.equal(input['latest'], new Date(Date.parse('2236-01-01') - 7 * 60_000 - 370_000 - 600_000).toISOString());
  });

  it('while it waits, a person can still abort', async () => {
    const handle = await rotateCa({ nextWindow: opensIn(threeHours) });
    await tests.eventually(async () =>
      (await handle.query<RotationStatus>('status')).waitingFor.includes('the next one opens later'),
    );
    await handle.signal('abortCaRotation', { who: 'ann', why: 'not now' });
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'aborted');
    assert.ok(!fakes.names().includes('removeCa'));
  });

  it('that it went ahead without one, because of an expiry, is among the problems', async () => {
    const handle = await rotateCa({ nextWindow: opensIn(0, 'expiry') });
    await handle.result();
    assert.match((await handle.query<RotationStatus>('status')).problems.join(), /the next one opens later/);
  });

  it('a restart waits for its window before its leaf is made; without windows nobody asks', async () => {
    for (const windowed of [true, false]) {
      const target = `target-${(count += 1)}`;
      const resolveLeafRotation = async () => ({
        ...(await fakeActivities().activities.resolveLeafRotation({ target })),
        windowed,
      });
      fakes = fakeActivities({ resolveLeafRotation, nextWindow: opensIn(threeHours) });
      tests.use(fakes);
      const handle = await tests.start('leafRotation', leafRotationId(target), { target });
      await handle.result();
      const names = fakes.names();
      assert.equal(names.includes('nextWindow'), windowed);
      assert.equal((await longestTimer(handle)) > threeHours - 60_000, windowed);
      if (windowed) assert.ok(names.indexOf('nextWindow') < names.indexOf('issueLeaf'));
    }
  });
});

/** Milliseconds, 0 without a timer. The clock of the test server tells less: it may leap to a timer of another workflow. */
async function longestTimer(handle: WorkflowHandle): Promise<number> {
  const events = (await handle.fetchHistory()).events ?? [];
  const timers = events.map((event) => Number(event.timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0));
  return Math.max(0, ...timers) * 1_000;
}
