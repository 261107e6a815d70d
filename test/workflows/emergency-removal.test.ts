import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import type { Notification } from '../../src/domain/notification.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { EmergencyRotation, ada, patient } from '../support/emergency-rotation.js';
import { refusalOf } from '../support/failures.js';
import { evidence, failing, gate, untilCancelled } from '../support/fake-activities.js';

describe('safety 43: an emergency', () => {
  let rotation: EmergencyRotation;
  before(async () => {
    rotation = await EmergencyRotation.begin();
  });
  after(() => rotation?.stop());

  describe('needs clean evidence', () => {
    const stranger = evidence({ unknownPollers: ['1@laptop (booking)'] });

    it('a poller that belongs to nobody known is put to a person', async () => {
      await rotation.start({ gatherEvidence: async () => stranger }, {}, ada);
      const { problems } = await rotation.reach('approve');
      assert.match(problems.join(), /1@laptop/);
      await rotation.handle.signal('approveCaRemoval', { who: 'bob', why: 'it is the attacker' });
      const { decision } = await rotation.result();
      assert.equal(decision?.who, 'bob');
    });

    it('unless whoever declared it said that unknown pollers may be locked out', async () => {
      await rotation.start({ gatherEvidence: async () => stranger }, {}, { ...ada, lockOutUnknown: true });
      assert.equal((await rotation.result()).decision?.who, 'ada');
    });

    it('a target that is not on the new CA is never passed over', async () => {
      let looks = 0;
      const gatherEvidence = async () =>
        (looks += 1) === 1 ? evidence({ complete: false, missing: ['worker'] }) : evidence();
      await rotation.start({ gatherEvidence }, {}, ada);
      await rotation.waitsForAPerson();
      assert.ok(!rotation.names().includes('removeCa'));
      await rotation.intervene('retry');
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('where two approvers must sign, whoever declared it may be one of them', async () => {
      await rotation.start({}, { approval: { ...patient, secondPerson: true, approvers: ['ada', 'bob'] } }, ada);
      await rotation.reach('approve');
      for (const who of ['ada', 'bob'])
        await rotation.handle.signal('approveCaRemoval', { who, why: 'seen', signature: `of ${who}` });
      const { decision } = await rotation.result();
      assert.deepEqual([decision?.who, decision?.seconded?.who], ['ada', 'bob']);
    });

    it('where approvers are listed it takes a signature all the same', async () => {
      await rotation.start({}, { approval: { ...patient, approvers: ['bob'] } }, ada);
      await rotation.reach('approve');
      await rotation.handle.signal('approveCaRemoval', { who: 'bob', why: 'seen', signature: 'of bob' });
      const { decision } = await rotation.result();
      assert.deepEqual([decision?.who, decision?.identity], ['bob', 'verified']);
    });
  });

  it('safety 42: a rescue whose old CA has expired needs no second person: its removal shuts nobody out', async () => {
    const issues = (notAfter: string) => async () => ({
      ca: certificateFacts('new-ca'),
      old: certificateFacts('old-ca', { notAfter }),
    });
    const rescue = { ...ada, leaked: 'none', lockOutUnknown: true };
    const approval = { ...patient, secondPerson: true, approvers: ['ada', 'bob'] };
    const declareCompromised = async () => ({ lines: [] });
    await rotation.start({ declareCompromised, issueCa: issues('2020-01-01T00:00:00.000Z') }, { approval }, rescue);
    const { decision } = await rotation.result();
    assert.deepEqual([decision?.who, decision?.why], ['ada', 'rescue: the key was in a public bucket']);
    await rotation.start({ declareCompromised, issueCa: issues('2999-01-01T00:00:00.000Z') }, { approval }, rescue);
    await rotation.reach('approve');
    await rotation.handle.signal('rejectCaRemoval', { who: 'bob', why: 'no' });
    await rotation.result();
  });

  describe('never goes back to the compromised CA', () => {
    const never = ['restoreTrust', 'keepBothCas', 'moveSignerBack', 'dropCa'] as const;
    const assertNothingWentBack = () => {
      for (const name of never) assert.ok(!rotation.names().includes(name), name);
    };

    it('an abort is refused; keeping both is left', async () => {
      await rotation.start({ rollOut: failing('RolloutFailed') }, {}, ada);
      await rotation.waitsForAPerson();
      assert.match(
        await refusalOf(rotation.intervene('abort')),
        /compromised, and nothing goes back to it; .*--keep-both/,
      );
      await rotation.intervene('abort', { keepBoth: true });
      assert.equal((await rotation.result()).outcome, 'keptBoth');
      assertNothingWentBack();
    });

    it('also in a rotation that is started later without an emergency', async () => {
      const issueCa = async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca'),
        compromised: true as const,
      });
      await rotation.start({ issueCa, rollOut: failing('RolloutFailed') });
      await rotation.waitsForAPerson();
      assert.match(await refusalOf(rotation.intervene('abort')), /compromised/);
      assert.match((await rotation.status()).exposed!.join(), /Compromised CA old-ca is still trusted by 1 namespace/);
      await rotation.intervene('abort', { keepBoth: true });
      await rotation.result();
    });

    it('an undo of the removal is refused', async () => {
      const { opened, open } = gate();
      await rotation.start({ removeCa: async () => opened.then(() => ({ lines: [] })) }, {}, ada);
      await rotation.tests.eventually(async () => rotation.names().includes('removeCa'));
      assert.match(await refusalOf(rotation.intervene('undoRemoval')), /compromised: it stays out/);
      open();
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('whoever falls off is moved on to a fresh leaf, people are told, and the removal is watched again', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? failing('NotPutBack')() : { lines: ['watched'] });
      const notifiers = [{ notifier: 'ops', events: ['emergency'] }] as const;
      await rotation.start({ removeCa }, { notifiers }, ada);
      assert.equal((await rotation.result()).outcome, 'rotated');
      const names = rotation
        .names()
        .filter((name) => ['trustCa', 'proveTrust', 'preflightLeaf', 'removeCa'].includes(name));
      const again = ['trustCa', 'proveTrust', 'preflightLeaf', 'removeCa'];
      assert.deepEqual(names, [...again, ...again]);
      const titles = rotation.inputsOf('notify').map(({ notification }) => (notification as Notification).title);
      assert.ok(
        titles.some((title) => title.includes('somebody fell off')),
        titles.join(),
      );
      assertNothingWentBack();
    });

    it('who fell off waits for no window, also in a rotation that is started later without an emergency', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? failing('NotPutBack')() : { lines: [] });
      const issueCa = async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca'),
        compromised: true as const,
      });
      await rotation.start({ removeCa, issueCa }, { approval: { ...patient, mode: 'automatic' } });
      const { digest } = evidence();
      await rotation.tests.eventually(async () => {
        if ((await rotation.status()).phase === 'approve')
          await rotation.handle.signal('approveCaRemoval', { who: 'bob', why: 'seen', evidence: digest });
        return removals === 2;
      });
      assert.equal((await rotation.result()).outcome, 'rotated');
      assert.deepEqual(
        rotation.inputsOf('preflightLeaf').map(({ urgent }) => urgent),
        [undefined, true],
      );
    });

    it('and when somebody falls off again, a person decides', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) <= 2 ? failing('NotPutBack')() : { lines: [] });
      await rotation.start({ removeCa }, {}, ada);
      const { waitingFor } = await rotation.waitsForAPerson();
      assert.match(waitingFor, /removal \(planted NotPutBack/);
      await rotation.intervene('retry');
      assert.equal((await rotation.result()).outcome, 'rotated');
      assertNothingWentBack();
    });

    it('one that comes while the removal is watched holds for that one, too', async () => {
      const { opened, open } = gate();
      let removals = 0;
      const removeCa = async () => {
        if ((removals += 1) > 1) return { lines: [] };
        await opened;
        return failing('NotPutBack')();
      };
      await rotation.start({ removeCa }, { approval: { ...patient, mode: 'automatic' } });
      await rotation.tests.eventually(async () => removals === 1);
      await rotation.declare();
      open();
      assert.equal((await rotation.result()).outcome, 'rotated');
      assertNothingWentBack();
    });

    it('one that comes while an undo of the removal was asked for turns it around: the removal goes on', async () => {
      let removals = 0;
      const { opened, open } = gate();
      const removeCa = async () => {
        if ((removals += 1) > 1) return { lines: [] };
        await untilCancelled().catch(() => opened);
        throw new CancelledFailure('cancelled');
      };
      await rotation.start({ removeCa }, { approval: { ...patient, mode: 'automatic' } });
      await rotation.tests.eventually(async () => removals === 1);
      await rotation.intervene('undoRemoval');
      await rotation.declare();
      open();
      const { outcome, decision } = await rotation.result();
      assert.deepEqual([outcome, decision?.who, removals], ['rotated', 'ada', 2]);
      assertNothingWentBack();
    });

    it('one that comes while an abort moves everybody back turns it around', async () => {
      let aborts = 0;
      const targetsOnCa = async () => ((aborts += 1) === 1 ? untilCancelled() : { targets: [] });
      await rotation.start({ targetsOnCa });
      await rotation.reach('approve');
      await rotation.intervene('abort');
      await rotation.tests.eventually(async () => aborts === 1);
      await rotation.declare();
      const { outcome, decision } = await rotation.result();
      assert.deepEqual([outcome, decision?.who, aborts], ['rotated', 'ada', 1]);
      assert.ok(!rotation.names().includes('dropCa'));
    });
  });
});
