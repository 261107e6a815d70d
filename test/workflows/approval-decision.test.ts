import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { certificateFacts } from '../support/certificate-facts.js';
import { AskedRotation, day, seen, untimed } from '../support/asked-rotation.js';
import { evidence, gate } from '../support/fake-activities.js';
import { refusalOf, rootOf, typeOf } from '../support/failures.js';

describe('approval of a removal', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin();
  });
  after(() => rotation?.stop());

  describe('in phase approve', () => {
    beforeEach(async () => {
      await rotation.start();
      await rotation.reach('approve');
    });

    it('a signal approves, and the result says who, when and why', async () => {
      const before = new Date(await rotation.tests.env.currentTimeMs()).toISOString();
      await rotation.handle.signal('approveCaRemoval', seen);
      const { outcome, decision } = await rotation.result();
      assert.deepEqual(
        [outcome, untimed(decision)],
        ['rotated', { decision: 'approve', ...seen, identity: 'claimed' }],
      );
      assert.ok(decision!.at! >= before, decision!.at);
      assert.ok(rotation.names().includes('removeCa'));
    });

    it('safety 12: a signal rejects: both CAs stay trusted, the pointer stays on the new CA, nothing is removed', async () => {
      await rotation.handle.signal('rejectCaRemoval', { who: 'bob', why: 'not today' });
      const { outcome, reason, decision } = await rotation.result();
      assert.deepEqual([outcome, decision?.decision], ['keptBoth', 'reject']);
      assert.match(reason!, /bob rejected the removal: not today\. Both CAs stay trusted/);
      assert.equal(rotation.names().at(-1), 'gatherEvidence');
    });

    it('an update does the same, and answers', async () => {
      const answer = await rotation.decide('approve', seen);
      assert.deepEqual(answer, { accepted: true, phase: 'approve', decided: true });
      assert.deepEqual(untimed((await rotation.result()).decision), {
        decision: 'approve',
        ...seen,
        identity: 'claimed',
      });
    });

    it('an update rejects', async () => {
      await rotation.decide('reject', { who: 'bob', why: '' });
      assert.equal((await rotation.result()).outcome, 'keptBoth');
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
        const error: unknown = await rotation.handle
          .executeUpdate<unknown, [unknown]>('decideCaRemoval', { args: [payload] })
          .catch((reason: unknown) => reason);
        assert.ok(error instanceof WorkflowUpdateFailedError, JSON.stringify(payload));
        assert.match(rootOf(error).message, refusal);
      }
      await rotation.decide('approve', seen);
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('safety 30: signals without or with a bad payload are shown in the status, and a correct one works', async () => {
      const bare = { who: 'ann' };
      const payloads = [undefined, null, 'garbage', 7, [], { who: '' }, { ...bare, why: {} }, { ...bare, evidence: 7 }];
      for (const payload of payloads) {
        await rotation.handle.signal('approveCaRemoval', ...(payload === undefined ? [] : [payload]));
      }
      const { problems, phase } = await rotation.status();
      assert.equal(problems.filter((line) => line.startsWith('Ignored "approve"')).length, payloads.length);
      assert.equal(phase, 'approve');
      await rotation.handle.signal('approveCaRemoval', seen);
      assert.equal((await rotation.result()).outcome, 'rotated');
    });
  });

  it('safety 30: a decision before it is asked for is shown and does not count', async () => {
    const { opened, open } = gate();
    const preflightCa = async () => opened.then(() => ({ lines: [] }));
    await rotation.start({ preflightCa });
    await rotation.tests.eventually(async () => rotation.names().includes('preflightCa'));
    await rotation.handle.signal('approveCaRemoval', { ...seen, who: 'early' });
    const refusal = await refusalOf(rotation.decide('approve', { who: 'early' }));
    assert.match(refusal, /nothing is asked in phase preflight/);
    open();
    const { problems } = await rotation.reach('approve');
    assert.match(problems.join(), /Ignored "approve" of early: nothing is asked in phase preflight/);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).decision?.who, 'ann');
  });

  it('safety 30: the first valid decision counts; a duplicate and a contradiction are shown', async () => {
    const { opened, open } = gate();
    const markRetiring = async () => opened;
    await rotation.start({ markRetiring });
    await rotation.reach('approve');
    // Sent together, so that they arrive while the first is being taken.
    await Promise.all([
      rotation.handle.signal('approveCaRemoval', seen),
      rotation.tests.eventually(async () => rotation.names().includes('markRetiring')),
    ]);
    await rotation.handle.signal('approveCaRemoval', { ...seen, who: 'again' });
    await rotation.handle.signal('rejectCaRemoval', { who: 'bob', why: 'no' });
    const { problems } = await rotation.status();
    assert.match(problems.join(), /Ignored "approve" of again/);
    assert.match(problems.join(), /Ignored "reject" of bob/);
    open();
    const { outcome, decision } = await rotation.result();
    assert.deepEqual([outcome, decision?.who], ['rotated', 'ann']);
  });

  it('nobody is asked for ever: after reminders the approval expires, and both CAs stay trusted', async () => {
    const began = await rotation.tests.env.currentTimeMs();
    await rotation.start();
    const { question } = await rotation.reach('approve');
    const error = await rotation.failure();
    assert.equal(typeOf(error), 'ApprovalExpired');
    assert.match(rootOf(error).message, /Both CAs stay trusted/);
    const until = Date.parse(question!.until);
    assert.ok(
      until >= began + 5 * day && (await rotation.tests.env.currentTimeMs()) >= until,
      'it did not wait for five days',
    );
    assert.equal((await rotation.status()).problems.filter((line) => line.startsWith('Nobody has decided')).length, 5);
    assert.equal(rotation.names().at(-1), 'gatherEvidence');
  });

  it('a decision after a reminder counts', async () => {
    await rotation.start();
    await rotation.reach('approve');
    await rotation.tests.env.sleep(2.5 * day);
    assert.equal((await rotation.status()).problems.length, 2);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('pollers of no known target warn the person who decides', async () => {
    const gatherEvidence = async () => evidence({ unknownPollers: ['stranger (booking)'] });
    await rotation.start({ gatherEvidence });
    const { problems } = await rotation.reach('approve');
    assert.deepEqual(problems, ['Belongs to no known target: stranger (booking)']);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('without reminders the deadline still holds', async () => {
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: 0 } as const;
    await rotation.start({}, { approval });
    assert.equal(typeOf(await rotation.failure()), 'ApprovalExpired');
  });

  it('nobody is asked longer than the old CA could still be put back', async () => {
    const old = certificateFacts('old-ca', {
      notAfter: new Date((await rotation.tests.env.currentTimeMs()) + day).toISOString(),
    });
    await rotation.start({ issueCa: async () => ({ ca: certificateFacts('new-ca'), old }) });
    const { question } = await rotation.reach('approve');
    assert.equal(Date.parse(old.notAfter) - Date.parse(question!.until), 7 * 60_000 + 370_000);
    assert.equal(typeOf(await rotation.failure()), 'ApprovalExpired');
  });
});
