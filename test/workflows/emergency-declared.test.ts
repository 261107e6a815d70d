import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { leafRotationId } from '../../src/domain/ids.js';
import { EmergencyRotation, ada, firedTimers, patient } from '../support/emergency-rotation.js';
import { day, hour } from '../support/asked-rotation.js';
import { refusalOf } from '../support/failures.js';
import { evidence, failing, fakeActivities, gate } from '../support/fake-activities.js';

describe('safety 43: an emergency', () => {
  let rotation: EmergencyRotation;
  before(async () => {
    rotation = await EmergencyRotation.begin();
  });
  after(() => rotation?.stop());

  it('that comes with the start waits for proofs only, and the word of who declared it is the approval', async () => {
    const waits = { trustSoakMs: day, soakMs: 10 * hour, windowed: true };
    const windows = async () => ({ waitMs: 1000 * day, by: 'window', line: 'waiting' }) as const;
    await rotation.start({ nextWindow: windows }, waits, ada);
    const { outcome, decision } = await rotation.result();
    assert.equal(await rotation.waited(), 70_000, 'a long poll, and no other time');
    assert.equal(outcome, 'rotated');
    assert.deepEqual([decision?.who, decision?.why], ['ada', 'emergency: the key was in a public bucket']);
    assert.equal(decision?.evidence, evidence().digest, 'the removal is not bound to evidence');
    for (const proof of ['proveTrust', 'testConnection', 'confirmAdoption', 'gatherEvidence', 'removeCa'] as const)
      assert.ok(rotation.names().includes(proof), `${proof} was left out`);
    assert.ok(!rotation.names().includes('nextWindow'));
    assert.equal(rotation.names()[0], 'declareCompromised', 'something came before it was on record');
    assert.equal(rotation.inputsOf('preflightLeaf')[0]!['urgent'], true);
  });

  it('moves the pointer as soon as the new CA is proved to be trusted, before the first target moves', async () => {
    await rotation.start({}, {}, ada);
    await rotation.result();
    const names = rotation.names();
    assert.ok(names.indexOf('moveSigner') > names.indexOf('proveTrust'));
    assert.ok(names.indexOf('moveSigner') < names.indexOf('issueLeaf'));
  });

  describe('escalates a rotation that waits', () => {
    it('for its approval', async () => {
      await rotation.start();
      await rotation.reach('approve');
      await rotation.declare();
      await rotation.result();
      assert.ok((await rotation.waited()) < hour);
      const { outcome, decision } = await rotation.result();
      assert.deepEqual([outcome, decision?.who], ['rotated', 'ada']);
    });

    it('for its soak: what is left of one long poll remains', async () => {
      await rotation.start({}, { soakMs: 10 * hour });
      await rotation.reach('confirm');
      await rotation.declare();
      await rotation.result();
      assert.ok((await rotation.waited()) < hour);
      assert.equal((await rotation.result()).outcome, 'rotated');
      const [{ quietSince } = {}] = rotation.inputsOf('gatherEvidence');
      assert.ok(quietSince, 'pods that were just replaced would count as strangers');
    });

    it('for its window', async () => {
      const nextWindow = async () => ({ waitMs: 3 * day, by: 'window', line: 'waiting for windows.removals' }) as const;
      await rotation.start({ nextWindow }, { windowed: true, approval: { ...patient, mode: 'automatic' } });
      await rotation.tests.eventually(async () => /windows\.removals/.test((await rotation.status()).waitingFor));
      await rotation.declare();
      await rotation.result();
      assert.ok((await rotation.waited()) < hour);
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('for the window of a restart: the leaf rotation under way goes on, and no other leaf comes from the compromised CA', async () => {
      const { resolveLeafRotation } = fakeActivities().activities;
      const nextWindow = async () => ({ waitMs: 3 * day, by: 'window', line: 'waiting for windows.restarts' }) as const;
      await rotation.start({
        resolveLeafRotation: async (request) => ({ ...(await resolveLeafRotation(request)), windowed: true }),
        nextWindow,
      });
      const leaf = rotation.tests.env.client.workflow.getHandle(leafRotationId(`${rotation.authority}-canary`));
      await rotation.tests.eventually(async () => rotation.names().includes('nextWindow'));
      await rotation.declare();
      assert.equal((await rotation.result()).outcome, 'rotated');
      assert.ok(!(await firedTimers(leaf)).some((ms) => ms >= hour), 'it waited for its window');
      const names = rotation.names();
      assert.ok(names.indexOf('moveSigner') < names.indexOf('issueLeaf'));
    });

    it('for a person, because of what failed before: it is tried again, urgently', async () => {
      let rollouts = 0;
      const rollOut = async () => ((rollouts += 1) === 1 ? failing('RolloutFailed')() : undefined);
      await rotation.start({ rollOut });
      await rotation.waitsForAPerson();
      await rotation.declare();
      assert.equal((await rotation.result()).outcome, 'rotated');
      assert.deepEqual(
        rotation.inputsOf('preflightLeaf').map(({ urgent }) => urgent),
        [undefined, true],
      );
    });

    it('for a person, because of missing evidence: everybody is moved again', async () => {
      let looks = 0;
      const gatherEvidence = async () =>
        (looks += 1) === 1 ? evidence({ complete: false, missing: ['worker'] }) : evidence();
      await rotation.start({ gatherEvidence });
      await rotation.waitsForAPerson();
      await rotation.declare();
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('by signal, too; said twice it is declared once', async () => {
      await rotation.start();
      await rotation.reach('approve');
      await rotation.handle.signal('declareEmergency', ada);
      await rotation.declare().catch(() => undefined);
      assert.equal((await rotation.result()).decision?.who, 'ada');
      assert.equal(rotation.inputsOf('declareCompromised').length, 1);
    });
  });

  describe('that could not be put on record is not accepted, and may be declared again:', () => {
    /** Refuses once. */
    const recording = () => {
      let attempts = 0;
      return async () =>
        (attempts += 1) === 1 ? failing('KeystoreForbidden')() : { current: 'old-ca', lines: ['marked'] };
    };

    it('the answer says so', async () => {
      await rotation.start({ declareCompromised: recording() });
      await rotation.reach('approve');
      assert.match(
        await refusalOf(rotation.declare()),
        /could not be put on record, and does not count: planted KeystoreForbidden/,
      );
      assert.equal((await rotation.status()).phase, 'approve', 'it counts although it is not on record');
      await rotation.declare();
      assert.equal((await rotation.result()).decision?.who, 'ada');
    });

    it('the status says so of one that came by signal, or with the start', async () => {
      await rotation.start({ declareCompromised: recording() }, {}, ada);
      const { problems } = await rotation.reach('approve');
      assert.match(problems.join(), /could not be put on record/);
      await rotation.handle.signal('declareEmergency', ada);
      assert.equal((await rotation.result()).decision?.who, 'ada');
    });

    it('one that is on record is so whatever comes of hurrying the rest', async () => {
      const { opened, open } = gate();
      const testConnection = async () => opened;
      await rotation.start({ testConnection, moveSigner: failing('KeystoreForbidden') });
      await rotation.reach('leaves');
      assert.deepEqual(await rotation.declare(), { accepted: true, phase: 'leaves' });
      assert.match((await rotation.status()).problems.join('\n'), /Not everything that waits was hurried: planted/);
      open();
      await rotation.tests.failureOf(rotation.handle);
    });
  });

  it('that is not one is shown, and stops nothing', async () => {
    await rotation.start();
    await rotation.reach('approve');
    for (const bad of [undefined, 'now', { who: 'ada' }, { ...ada, leaked: 'everything' }])
      await rotation.handle.signal('declareEmergency', ...(bad === undefined ? [] : [bad]));
    await rotation.tests.eventually(
      async () =>
        (await rotation.status()).problems.filter((line) => line.startsWith('Ignored "emergency"')).length === 4,
    );
    assert.match(await refusalOf(rotation.declare({ why: ' ' })), /"why" must give the reason/);
    assert.equal((await rotation.status()).phase, 'approve');
    await rotation.handle.signal('rejectCaRemoval', { who: 'ann', why: 'enough' });
    await rotation.result();
  });
});
