import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import type { Issuer } from '../../src/issuers/issuer.js';
import { signedBy } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { aLeafUnder } from '../support/chains.js';
import { aWorld, type World } from '../support/fakes.js';

const ids = { target: 'worker', rotation: 'run' };

describe('activities of a leaf rotation', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const issue = () => runActivity(world, 'issueLeaf', ids).result;
  const update = (entry: string) => runActivity(world, 'updateTarget', { ...ids, entry }).result;

  it('a retry finds the leaf that the attempt before issued', async () => {
    const [first, second] = [await issue(), await issue()];
    assert.deepEqual(second, first);
  });

  it('says what the leaf leaves out that Temporal documents', async () => {
    assert.equal((await issue()).warnings, undefined);
    const issuer = world.deps.issuer('booking');
    const sparse: Issuer = {
      ...issuer,
      issueLeaf: async (ca) => ({ certificate: await aLeafUnder(ca), key: ca.key, warnings: [] }),
    };
    Object.assign(world.deps, { issuer: () => sparse });
    const { warnings } = await runActivity(world, 'issueLeaf', { ...ids, rotation: 'another' }).result;
    assert.match(warnings!.join(), /CN=worker.* leaves out basicConstraints, keyUsage, subjectKeyIdentifier/);
  });

  it('no key comes back: an activity returns certificate and reference', async () => {
    const { entry, certificate } = await issue();
    assert.ok(world.keystore.entries.get(entry)!.key);
    assert.ok(!JSON.stringify({ entry, certificate }).includes('PRIVATE KEY'));
  });

  it('safety 32: the previous pair is write-once and never the new one', async () => {
    const before = world.target.pair!.certificate.fingerprint;
    const { entry, certificate } = await issue();
    const kept = () => world.keystore.entries.get(entries.previous('worker', 'run'))?.certificate?.fingerprint;
    await update(entry);
    assert.equal(kept(), before);
    await update(entry);
    assert.equal(kept(), before, 'a second attempt kept the new pair as the previous one');
    world.target.pair = await world.leafOf(world.old);
    await update(entry);
    assert.equal(kept(), before, 'it was written twice');
    assert.equal(world.target.pair.certificate.fingerprint, certificate.fingerprint);
  });

  describe('safety 44: after a run that was terminated or reset, and left its pairs in the keystore', () => {
    const left = () => [...world.keystore.entries.keys()].filter((name) => /^(leaf|fresh|previous)\./.test(name));
    let before: string;
    beforeEach(async () => {
      before = world.target.pair!.certificate.fingerprint;
      const { entry } = await runActivity(world, 'issueLeaf', { ...ids, rotation: 'dead' }).result;
      await runActivity(world, 'updateTarget', { ...ids, rotation: 'dead', entry }).result;
    });
    const kept = (rotation: string) =>
      world.keystore.entries.get(entries.previous('worker', rotation))?.certificate?.fingerprint;

    it('the next run discards them with its own, and those of no other target', async () => {
      const owner = 'leaf/worker.2';
      await world.keystore.create(entries.leaf('worker.2', 'run'), { ...world.old, owner });
      await update((await issue()).entry);
      await runActivity(world, 'discardPairs', { target: 'worker', settled: true }).result;
      assert.deepEqual(left(), [entries.leaf('worker.2', 'run')]);
    });

    it('a run that delivers nothing discards its leaves, and keeps the pair that may have to go back', async () => {
      await issue();
      await runActivity(world, 'discardPairs', { target: 'worker' }).result;
      assert.deepEqual(left(), [entries.previous('worker', 'dead')]);
    });

    it('a run that has nothing to do says that they are of no use, once every pod is on the leaf in place', async () => {
      const ca = world.old.certificate.fingerprint;
      const preflight = () => runActivity(world, 'preflightLeaf', { target: 'worker', ca }).result;
      assert.equal((await preflight()).leftOver, undefined);
      for (const pod of world.target.pods) pod.leaf = world.target.pair!.certificate.fingerprint;
      assert.equal((await preflight()).leftOver, true);
    });

    it('a pair in place that was never proved is not kept as the previous one: that of the dead run is', async () => {
      await update((await issue()).entry);
      assert.deepEqual([kept('run'), kept('dead')], [undefined, before]);
    });

    it('a pair in place that every pod uses is', async () => {
      const inPlace = world.target.pair!.certificate.fingerprint;
      for (const pod of world.target.pods) pod.leaf = inPlace;
      await update((await issue()).entry);
      assert.equal(kept('run'), inPlace);
    });
  });

  it('safety 12: a leaf paused between test and update while the removal of its CA begins is refused inside the write', async () => {
    const { entry } = await issue();
    await runActivity(world, 'testConnection', { target: 'worker', entry }).result;
    await world.moved();
    const { deliveries } = world.target;
    const delivered = [...deliveries];
    await assert.rejects(update(entry), { type: 'AuthorityRetiring', message: /nothing was delivered/ });
    assert.deepEqual(deliveries, delivered);
  });

  it('safety 12: nothing more is issued from a CA that is being removed, whoever asks', async () => {
    await world.moved();
    const ca = world.old.certificate.fingerprint;
    await assert.rejects(runActivity(world, 'issueLeaf', { ...ids, ca }).result, { type: 'AuthorityRetiring' });
  });

  it('safety 12: a daily leaf while an approval waits comes from the new CA', async () => {
    const next = await world.moved();
    await runActivity(world, 'keepBothCas', { authority: 'booking' }).result;
    assert.ok(signedBy((await issue()).certificate, next.certificate));
  });

  it('a leaf that the namespace refuses is not delivered', async () => {
    const { entry } = await issue();
    world.probe.answer = () => ({ outcome: 'refused', layer: 'tls', reason: 'unknown ca' });
    await assert.rejects(runActivity(world, 'testConnection', { target: 'worker', entry }).result, {
      type: 'ProbeRefused',
      message: /unknown ca/,
    });
    assert.deepEqual(world.target.deliveries, []);
  });

  it('adoption is waited for, heartbeating, until its deadline, and then named', async () => {
    const { entry } = await issue();
    const delivery = await update(entry);
    const waiting = runActivity(world, 'confirmAdoption', { target: 'worker', delivery });
    await waiting.reaches(/worker-1: has another leaf/);
    await assert.rejects(waiting.result, {
      type: 'NotAdopted',
      message: /worker-1: has another leaf; worker-10: has another leaf/,
    });
    await runActivity(world, 'rollOut', { target: 'worker', delivery }).result;
    assert.equal((await runActivity(world, 'confirmAdoption', { target: 'worker', delivery }).result).adopted, true);
  });

  it('only a target that is due is renewed on schedule', async () => {
    world = await aWorld({ target: { renew: { before: '10d' } } });
    const preflight = () => runActivity(world, 'preflightLeaf', { target: 'worker', onlyWhenDue: true }).result;
    assert.match((await preflight()).skip!, /Not due: valid until/);
    world.clockOffsetMs = 21 * 86_400_000;
    assert.equal((await preflight()).skip, undefined);
  });

  it('a target that is on the named CA already, pods and all, is left alone', async () => {
    const ca = world.old.certificate.fingerprint;
    const preflight = () => runActivity(world, 'preflightLeaf', { target: 'worker', ca }).result;
    assert.match((await preflight()).skip!, /on a leaf of that CA already/);
    world.target.pods[0]!.leaf = 'another';
    assert.equal((await preflight()).skip, undefined);
  });
});
