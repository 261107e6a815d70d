import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Activities } from '../../src/activities/index.js';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';

describe('safety 39: an abort takes the new CA out again, once nobody is on it', () => {
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    next = await world.moved();
    await run('keepBothCas', { authority: 'booking' });
  });

  const run = <Name extends keyof Activities>(name: Name, input: Parameters<Activities[Name]>[0]) =>
    runActivity(world, name, input).result;
  const newCa = () => ({ authority: 'booking', ca: next.certificate.fingerprint });
  const drop = () => run('dropCa', { ...newCa(), namespace: booking, rotation: 'run' });

  it('finds the targets that are on it, by signature', async () => {
    assert.deepEqual(await run('targetsOnCa', newCa()), { targets: ['worker'] });
    world.target.pair = await world.leafOf(world.old);
    assert.deepEqual(await run('targetsOnCa', newCa()), { targets: [] });
  });

  describe('what it would undo is read from the world, whoever did it', () => {
    const facts = (rotation = 'run') => run('abortFacts', { authority: 'booking', rotation });

    it('a target that another run moved, or a schedule renewed; and who trusts the new CA', async () => {
      const { ca, old, ...found } = await facts('another-run');
      assert.deepEqual(
        [ca?.fingerprint, old?.fingerprint],
        [next.certificate.fingerprint, world.old.certificate.fingerprint],
      );
      assert.deepEqual(found, { trustedBy: [booking], moved: ['worker'] });
    });

    it('that the old CA is compromised', async () => {
      await run('declareCompromised', { authority: 'booking', leaked: 'current', who: 'ann', why: 'leak' });
      assert.equal((await facts()).compromised, true);
    });
  });

  it('waits for a leaf that is on its way, before it finds the targets that are on the new CA', async () => {
    const inPlace = world.target.pair;
    world.target.pair = await world.leafOf(world.old);
    world.running.set('leaf/worker', ['issueLeaf']);
    const finding = runActivity(world, 'targetsOnCa', newCa());
    await finding.reaches(/waiting for leaf\/worker to end/);
    world.target.pair = inPlace;
    world.running.delete('leaf/worker');
    assert.deepEqual(await finding.result, { targets: ['worker'] });
  });

  it('it is not dropped while a leaf in use chains to it', async () => {
    await assert.rejects(drop(), { type: 'WouldLockOut', message: /worker/ });
    assert.equal(world.bundle().length, 2);
  });

  it('nor one that came to it while an operation of somebody else was waited for', async () => {
    const stale = world.target.pair;
    world.target.pair = await world.leafOf(world.old);
    world.cloud.whileBusy = () => void (world.target.pair = stale);
    await assert.rejects(drop(), { type: 'WouldLockOut', message: /worker/ });
    assert.equal(world.bundle().length, 2);
  });

  it('then it leaves the namespace, and its key is destroyed; twice is as once', async () => {
    world.target.pair = await world.leafOf(world.old);
    await run('moveSignerBack', newCa());
    await run('markRetiring', { authority: 'booking', old: next.certificate.fingerprint });
    for (let time = 0; time < 2; time += 1) {
      await drop();
      await run('abandonCa', newCa());
    }
    const old = world.old.certificate.fingerprint;
    assert.deepEqual(world.bundle(), [old]);
    assert.deepEqual(world.record(), { generation: 2, current: old, signing: old });
    assert.equal(await world.keystore.get(entries.ca('booking', next.certificate.fingerprint)), undefined);
    assert.deepEqual(
      world.cloud.writes.map(({ generation }) => generation),
      ['run/abort'],
    );
  });

  describe('an attempt that stored a new CA died before the record named it', () => {
    const ids = { authority: 'booking', rotation: 'run' };
    let stored: KeyPair;
    beforeEach(async () => {
      world = await aWorld();
      stored = await aCa(2);
      await world.keystore.create(entries.ca('booking', stored.certificate.fingerprint), {
        ...stored,
        record: { rotation: 'run' },
        owner: 'authority/booking',
      });
    });

    it('the abort of its run finds it, and of no other', async () => {
      assert.equal((await run('abortFacts', ids)).ca?.fingerprint, stored.certificate.fingerprint);
      assert.deepEqual(await run('abortFacts', { ...ids, rotation: 'other' }), { trustedBy: [], moved: [] });
      assert.equal((await run('takeUpNext', { ...ids, rotation: 'other' })).ca, undefined);
    });

    it('and destroys its key, which nobody knows', async () => {
      const before = world.record();
      const { ca } = await run('takeUpNext', ids);
      const abandoned = { authority: 'booking', ca: ca!.fingerprint };
      await run('moveSignerBack', abandoned);
      await run('markRetiring', { authority: 'booking', old: ca!.fingerprint });
      await run('dropCa', { ...abandoned, namespace: booking, rotation: 'run' });
      await run('abandonCa', abandoned);
      assert.equal(await world.keystore.get(entries.ca('booking', ca!.fingerprint)), undefined);
      assert.deepEqual(world.record(), { ...before, generation: before.generation + 1 });
      assert.deepEqual(world.cloud.writes, []);
    });
  });

  it('a leaf of it that a schedule issued before is not delivered any more', async () => {
    const { entry } = await run('issueLeaf', { target: 'worker', rotation: 'daily' });
    await run('moveSignerBack', newCa());
    await run('markRetiring', { authority: 'booking', old: next.certificate.fingerprint });
    await assert.rejects(run('updateTarget', { target: 'worker', entry, rotation: 'daily' }), {
      type: 'AuthorityRetiring',
    });
  });
});
