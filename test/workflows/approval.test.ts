import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { fakeActivities, gate, plan, type FakeActivities } from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

const day = 86_400_000;

describe('approval of a removal', () => {
  let tests: WorkflowTests;
  let count = 0;
  let fakes: FakeActivities;
  let handle: WorkflowHandle;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  async function start(activities: FakeActivities = fakeActivities()): Promise<void> {
    const authority = `authority-${(count += 1)}`;
    fakes = activities;
    tests.use(fakes);
    handle = await tests.start('caRotation', caRotationId(authority), { authority });
  }

  const status = () => handle.query<RotationStatus>('status');
  const result = () => handle.result() as Promise<CaRotationResult>;
  const ann = { who: 'ann', why: 'looks good' };

  describe('in phase approve', () => {
    beforeEach(async () => {
      await start();
      await tests.reach(handle, 'approve');
    });

    it('a signal approves, and the result says who and why', async () => {
      await handle.signal('approveCaRemoval', ann);
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, decision], ['rotated', { decision: 'approve', ...ann }]);
      assert.ok(fakes.names().includes('removeCa'));
    });

    it('safety 12: a signal rejects: both CAs stay trusted, the pointer stays on the new CA, nothing is removed', async () => {
      await handle.signal('rejectCaRemoval', { who: 'bob', why: 'not today' });
      const { outcome, reason, decision } = await result();
      assert.deepEqual([outcome, decision?.decision], ['keptBoth', 'reject']);
      assert.match(reason!, /bob rejected the removal: not today\. Both CAs stay trusted/);
      assert.equal(fakes.names().at(-1), 'gatherEvidence');
    });

    it('an update does the same, and answers', async () => {
      const answer = await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...ann }] });
      assert.deepEqual(answer, { accepted: true, phase: 'approve' });
      assert.deepEqual((await result()).decision, { decision: 'approve', ...ann });
    });

    it('an update rejects', async () => {
      await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'reject', who: 'bob', why: '' }] });
      assert.equal((await result()).outcome, 'keptBoth');
    });

    it('safety 30: a bad update is refused with the reason, and a correct one works', async () => {
      const bad: [unknown, RegExp][] = [
        [null, /send \{"who"/],
        ['yes', /send \{"who"/],
        [{ decision: 'approve' }, /"who" must name/],
        [{ decision: 'approve', who: 'ann', why: 7 }, /"why" must be a text/],
        [{ decision: 'perhaps', who: 'ann' }, /"decision" must be/],
      ];
      for (const [payload, refusal] of bad) {
        const error: unknown = await handle
          .executeUpdate<unknown, [unknown]>('decideCaRemoval', { args: [payload] })
          .catch((reason: unknown) => reason);
        assert.ok(error instanceof WorkflowUpdateFailedError, JSON.stringify(payload));
        assert.match(rootOf(error).message, refusal);
      }
      await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...ann }] });
      assert.equal((await result()).outcome, 'rotated');
    });

    it('safety 30: signals without or with a bad payload are shown in the status, and a correct one works', async () => {
      const payloads = [undefined, null, 'garbage', 7, [], { who: '' }, { who: 'ann', why: {} }];
      for (const payload of payloads) {
        await handle.signal('approveCaRemoval', ...(payload === undefined ? [] : [payload]));
      }
      const { problems, phase } = await status();
      assert.equal(problems.filter((line) => line.startsWith('Ignored "approve"')).length, payloads.length);
      assert.equal(phase, 'approve');
      await handle.signal('approveCaRemoval', ann);
      assert.equal((await result()).outcome, 'rotated');
    });
  });

  it('safety 30: a decision before it is asked for is shown and does not count', async () => {
    const { opened, open } = gate();
    const preflightCa = async () => opened.then(() => ({ lines: [] }));
    await start(fakeActivities({ preflightCa }));
    await tests.eventually(async () => fakes.names().includes('preflightCa'));
    await handle.signal('approveCaRemoval', { who: 'early', why: '' });
    const refused: unknown = await handle
      .executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', who: 'early' }] })
      .catch((error: unknown) => error);
    assert.match(rootOf(refused).message, /nothing to decide: the rotation is in phase preflight/);
    open();
    const { problems } = await tests.reach(handle, 'approve');
    assert.match(problems.join(), /Ignored "approve" of early: nothing is asked in phase preflight/);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).decision?.who, 'ann');
  });

  it('safety 30: the first valid decision counts; a duplicate and a contradiction are shown', async () => {
    const { opened, open } = gate();
    const markRetiring = async () => opened;
    await start(fakeActivities({ markRetiring }));
    await tests.reach(handle, 'approve');
    // Sent together, so that they arrive while the first is being taken.
    await Promise.all([
      handle.signal('approveCaRemoval', ann),
      tests.eventually(async () => fakes.names().includes('markRetiring')),
    ]);
    await handle.signal('approveCaRemoval', { who: 'again', why: '' });
    await handle.signal('rejectCaRemoval', { who: 'bob', why: 'no' });
    const { problems } = await status();
    assert.match(problems.join(), /Ignored "approve" of again/);
    assert.match(problems.join(), /Ignored "reject" of bob/);
    open();
    const { outcome, decision } = await result();
    assert.deepEqual([outcome, decision?.who], ['rotated', 'ann']);
  });

  it('nobody is asked for ever: after reminders the approval expires, and both CAs stay trusted', async () => {
    await start();
    await tests.reach(handle, 'approve');
    const asked = await tests.env.currentTimeMs();
    const error = await tests.failureOf(handle);
    assert.equal(typeOf(error), 'ApprovalExpired');
    assert.match(rootOf(error).message, /Both CAs stay trusted/);
    assert.ok((await tests.env.currentTimeMs()) - asked >= 5 * day, 'it did not wait for five days');
    assert.equal((await status()).problems.filter((line) => line.startsWith('Nobody has decided')).length, 5);
    assert.equal(fakes.names().at(-1), 'gatherEvidence');
  });

  it('a decision after a reminder counts', async () => {
    await start();
    await tests.reach(handle, 'approve');
    await tests.env.sleep(2.5 * day);
    assert.equal((await status()).problems.length, 2);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).outcome, 'rotated');
  });

  it('pollers of no known target warn the person who decides', async () => {
    const evidence = { complete: true, lines: [], missing: [], unknownPollers: ['stranger (booking)'] };
    await start(fakeActivities({ gatherEvidence: async () => evidence }));
    const { problems } = await tests.reach(handle, 'approve');
    assert.deepEqual(problems, ['Belongs to no known target: stranger (booking)']);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).outcome, 'rotated');
  });

  it('without reminders the deadline still holds', async () => {
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: 0 } as const;
    await start(fakeActivities({ resolveCaRotation: async ({ authority }) => plan(authority, { approval }) }));
    assert.equal(typeOf(await tests.failureOf(handle)), 'ApprovalExpired');
  });
});
