import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { createActivities, type Activities } from '../../src/activities/index.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { LeafRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { failing, fakeActivities, gate, plan, type FakeActivities } from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { aWorld } from '../support/fakes.js';
import { WorkflowTests } from '../support/temporal-env.js';

const done = Promise.resolve();

describe('scheduledLeafRotation', () => {
  let tests: WorkflowTests;
  let count = 0;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  /** As a schedule does it: under an id that ends in its time. */
  function start(fakes: FakeActivities, ...args: unknown[]): Promise<WorkflowHandle> {
    tests.use(fakes);
    return tests.start('scheduledLeafRotation', `scheduled-leaf-rotation-${(count += 1)}`, ...args);
  }

  const result = (handle: WorkflowHandle) => handle.result() as Promise<readonly LeafRotationResult[]>;
  const of = (fakes: FakeActivities, name: keyof Activities, key: string) =>
    fakes.calls.filter((call) => call.name === name).map(({ input }) => input[key]);

  it('renews every target of the configuration that is due', async () => {
    const fakes = fakeActivities();
    const results = await result(await start(fakes));
    assert.deepEqual(
      results.map(({ target, outcome }) => [target, outcome]),
      [
        ['one', 'rotated'],
        ['two', 'rotated'],
        ['three', 'rotated'],
      ],
    );
    assert.deepEqual(of(fakes, 'preflightLeaf', 'onlyWhenDue'), [true, true, true]);
    assert.deepEqual(of(fakes, 'issueLeaf', 'ca'), [undefined, undefined, undefined]);
  });

  it('renews only the targets that it is given', async () => {
    const fakes = fakeActivities();
    await result(await start(fakes, { targets: ['two'] }));
    assert.deepEqual(of(fakes, 'preflightLeaf', 'target'), ['two']);
    assert.ok(!fakes.names().includes('listTargets'));
  });

  it('safety 31: skips a target that is being rotated already', async () => {
    const { opened, open } = gate();
    const fakes = fakeActivities({
      testConnection: async ({ target }) => (target === 'two' ? opened : undefined),
    });
    tests.use(fakes);
    const running = await tests.start('leafRotation', leafRotationId('two'), { target: 'two' });
    await tests.eventually(async () => fakes.names().includes('testConnection'));
    const results = await result(await start(fakes));
    assert.deepEqual(
      results.map(({ target, outcome }) => [target, outcome]),
      [
        ['one', 'rotated'],
        ['two', 'skipped'],
        ['three', 'rotated'],
      ],
    );
    assert.equal(results[1]!.reason, 'A rotation of this target is running already');
    open();
    assert.equal(((await running.result()) as LeafRotationResult).outcome, 'rotated');
    assert.equal(of(fakes, 'issueLeaf', 'target').filter((target) => target === 'two').length, 1);
  });

  it('goes on after a target that fails, and names it', async () => {
    const fakes = fakeActivities({
      rollOut: async ({ target }) => (target === 'two' ? failing('RolloutFailed')() : undefined),
    });
    const error = await tests.failureOf(await start(fakes));
    assert.equal(typeOf(error), 'LeavesNotRenewed');
    assert.match(rootOf(error).message, /^Not renewed: two: planted RolloutFailed/);
    assert.deepEqual(of(fakes, 'discardPairs', 'target'), ['one', 'three']);
    assert.deepEqual(of(fakes, 'restoreTarget', 'target'), ['two']);
  });

  it('cancelled, it ends the rotation that runs in a working state and starts no other', async () => {
    const { opened, open } = gate();
    const delivery = { leaf: 'new-leaf', at: '2026-01-01T00:00:00.000Z' };
    const fakes = fakeActivities({ updateTarget: async () => opened.then(() => delivery) });
    const handle = await start(fakes);
    await tests.eventually(async () => fakes.names().includes('updateTarget'));
    await tests.cancel(handle);
    await tests.knowsOfCancellation(tests.env.client.workflow.getHandle(leafRotationId('one')));
    open();
    await tests.failureOf(handle);
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    assert.deepEqual(of(fakes, 'restoreTarget', 'target'), ['one']);
    assert.deepEqual(of(fakes, 'preflightLeaf', 'target'), ['one']);
  });

  describe('while a CA rotation runs', () => {
    const authority = 'booking';

    /** The fakes, with what is decided before a renewal decided by the product. */
    async function deciding(overrides: Partial<Activities>): Promise<FakeActivities> {
      const world = await aWorld();
      const { preflightLeaf } = createActivities({ ...world.deps, client: () => tests.env.client });
      const resolveCaRotation = async () => plan(authority, { others: ['worker'] });
      const fakes = fakeActivities({ resolveCaRotation, ...overrides });
      const decided: Activities['preflightLeaf'] = (request) =>
        request.onlyWhenDue ? preflightLeaf(request) : fakes.activities.preflightLeaf(request);
      return { ...fakes, activities: { ...fakes.activities, preflightLeaf: decided } };
    }

    async function scheduled(fakes: FakeActivities): Promise<LeafRotationResult> {
      const [only] = await result(await start(fakes, { targets: ['worker'] }));
      return only!;
    }

    it('leaves a leaf to it while it moves targets, and renews the leaf once it waits for an approval', async () => {
      const { opened, open } = gate();
      const fakes = await deciding({ rollOut: ({ target }) => (target === `${authority}-canary` ? opened : done) });
      tests.use(fakes);
      const rotation = await tests.start('caRotation', caRotationId(authority), { authority });
      await tests.eventually(async () => fakes.names().includes('rollOut'));
      const left = await scheduled(fakes);
      assert.equal(left.outcome, 'skipped');
      assert.match(left.reason!, /^ca\/booking moves it: done by /);
      open();
      await tests.reach(rotation, 'approve');
      assert.equal((await scheduled(fakes)).outcome, 'rotated');
      await rotation.signal('rejectCaRemoval', { who: 'ann' });
      await rotation.result();
    });

    it('leaves nothing to one that waits for a person about a target that failed', async () => {
      const rollOut: Activities['rollOut'] = ({ target }) =>
        target === `${authority}-canary` ? failing('RolloutFailed')() : done;
      const fakes = await deciding({ rollOut });
      tests.use(fakes);
      const rotation = await tests.start('caRotation', caRotationId(authority), { authority });
      await tests.eventually(async () => {
        const { problems } = await rotation.query<RotationStatus>('status');
        return problems.some((problem) => problem.includes('was not moved'));
      });
      assert.equal((await scheduled(fakes)).outcome, 'rotated');
      await rotation.signal('abortCaRotation', { who: 'ann', why: 'the test is over' });
      await rotation.result();
    });
  });

  it('a bad request fails the workflow, not its task', async () => {
    for (const request of [null, 'one', ['one'], { targets: 'one' }, { targets: [7] }]) {
      const error = await tests.failureOf(await start(fakeActivities(), request));
      assert.equal(typeOf(error), 'BadRequest', JSON.stringify(request));
    }
  });
});
