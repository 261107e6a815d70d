import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { Notification } from '../../src/domain/notification.js';
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
    (waitMs: number, by: 'window' | 'expiry' = 'window') =>
    async () => ({ waitMs, by, line: 'the next one opens later' });
  /** The first answer of each rotation: wait. Then it is open. */
  const opensOnceIn = (waitMs: number) => {
    const answers = [waitMs];
    return () => opensIn(answers.shift() ?? 0)();
  };

  async function rotateCa(overrides: Partial<Activities>, windowed = true): Promise<WorkflowHandle> {
    const authority = `authority-${(count += 1)}`;
    const planned = plan(authority, { approval: automatic, ...(windowed && { windowed }) });
    fakes = fakeActivities({ resolveCaRotation: async () => planned, ...overrides });
    tests.use(fakes);
    return tests.start('caRotation', caRotationId(authority), { authority });
  }

  it('a removal waits for its window, after the approval and before anything of it', async () => {
    const times: number[] = [];
    const opens = opensOnceIn(threeHours);
    const nextWindow = async () => {
      times.push(await tests.env.currentTimeMs());
      return opens();
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

  it('a removal whose window has closed before it could begin waits for the next', async () => {
    const answers = [threeHours, threeHours];
    const handle = await rotateCa({ nextWindow: async () => opensIn(answers.shift() ?? 0)() });
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'rotated');
    const names = fakes.names();
    const asked = names.slice(0, names.indexOf('markRetiring')).filter((name) => name === 'nextWindow');
    assert.equal(asked.length, 3, 'it began although nobody said that the window is open');
  });

  it('a removal asks before each namespace, and leaves time for those that are still to come', async () => {
    const asked: string[] = [];
    const authority = `authority-${(count += 1)}`;
    const namespaces = ['one', 'two'];
    const planned = plan(authority, { approval: automatic, windowed: true, namespaces });
    const nextWindow = async ({ latest }: { latest: string }) => {
      asked.push(latest);
      return opensIn(asked.length === 3 ? threeHours : 0)();
    };
    fakes = fakeActivities({ resolveCaRotation: async () => planned, nextWindow });
    tests.use(fakes);
    const handle = await tests.start('caRotation', caRotationId(authority), { authority });
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'rotated');
    const steps = fakes.names().filter((name) => ['nextWindow', 'rememberTrust', 'removeCa'].includes(name));
    const one = ['nextWindow', 'rememberTrust', 'removeCa'];
    assert.deepEqual(steps, ['nextWindow', ...one, 'nextWindow', ...one]);
    const perNamespace = 7 * 60_000 + 370_000 + 600_000;
    const left = asked.map((latest) => (Date.parse('2236-01-01') - Date.parse(latest)) / perNamespace);
    assert.deepEqual(left, [2, 2, 1, 1]);
    assert.ok((await longestTimer(handle)) > threeHours - 60_000);
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
    const { problems } = await handle.query<RotationStatus>('status');
    assert.equal(problems.filter((line) => line.includes('the next one opens later')).length, 1);
  });

  it('and people are told by the notifiers, once: of a removal, and of a restart', async () => {
    const notifiers = [{ notifier: 'ops', events: ['windowsGaveWay'] }] as const;
    const authority = `authority-${(count += 1)}`;
    const target = `target-${(count += 1)}`;
    const { resolveLeafRotation } = fakeActivities().activities;
    const leafPlan = { ...(await resolveLeafRotation({ target })), windowed: true, notifiers };
    const planned = plan(authority, { approval: automatic, windowed: true, notifiers, canaries: [] });
    for (const [workflow, id, subject, request] of [
      ['caRotation', caRotationId(authority), `CA of ${authority}`, { authority }],
      ['leafRotation', leafRotationId(target), `Leaf of ${target}`, { target }],
    ] as const) {
      fakes = fakeActivities({
        resolveCaRotation: async () => planned,
        resolveLeafRotation: async () => leafPlan,
        nextWindow: opensIn(0, 'expiry'),
      });
      tests.use(fakes);
      await (await tests.start(workflow, id, request)).result();
      const told = fakes.calls.filter(({ name }) => name === 'notify').map(({ input }) => input['notification']);
      assert.equal(told.length, 1, workflow);
      const { event, title, lines } = told[0] as Notification;
      assert.deepEqual(
        [event, title, lines],
        ['windowsGaveWay', `${subject}: goes ahead outside of its maintenance windows`, ['the next one opens later']],
      );
    }
  });

  it('no restart happens outside of a window: it asks again right before the update, and makes another leaf in the next', async () => {
    const target = `target-${(count += 1)}`;
    const { resolveLeafRotation } = fakeActivities().activities;
    const leafPlan = { ...(await resolveLeafRotation({ target })), windowed: true };
    const answers = [0, threeHours, threeHours, 0];
    fakes = fakeActivities({
      resolveLeafRotation: async () => leafPlan,
      nextWindow: async () => opensIn(answers.shift() ?? 0)(),
    });
    tests.use(fakes);
    const handle = await tests.start('leafRotation', leafRotationId(target), { target });
    await handle.result();
    const tested = ['nextWindow', 'issueLeaf', 'testConnection', 'nextWindow'];
    const again = ['discardPairs', 'nextWindow', ...tested, 'updateTarget'];
    assert.deepEqual(fakes.names().slice(2, 13), [...tested, ...again]);
    assert.ok((await longestTimer(handle)) > threeHours - 60_000);
  });

  it('a restart waits for its window before its leaf is made; without windows nobody asks', async () => {
    for (const windowed of [true, false]) {
      const target = `target-${(count += 1)}`;
      const resolveLeafRotation = async () => ({
        ...(await fakeActivities().activities.resolveLeafRotation({ target })),
        windowed,
      });
      fakes = fakeActivities({ resolveLeafRotation, nextWindow: opensOnceIn(threeHours) });
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
