import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Removal } from '../../src/activities/removal.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aCaUnder } from '../support/chains.js';
import { aWorld, booking, type FakeTarget, type World } from '../support/fakes.js';
import { aNeighbour, neighbour } from '../support/neighbour.js';

describe('safety 3: whoever uses the namespace is minded, whichever authority its leaf is of', () => {
  let world: World;
  let root: KeyPair;
  let sibling: KeyPair;
  let next: KeyPair;
  let other: FakeTarget;
  beforeEach(async () => {
    root = await aCaUnder(undefined);
    sibling = await aCaUnder(root);
    world = await aWorld({ old: await aCaUnder(root) });
    next = await world.moved();
  });

  const trust = (...cas: readonly KeyPair[]) => {
    const found = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...found, bundle: cas.map(({ certificate }) => certificate) });
  };
  const fingerprints = (...cas: readonly KeyPair[]) => cas.map(({ certificate }) => certificate.fingerprint);

  async function approved(): Promise<Removal> {
    const old = world.old.certificate.fingerprint;
    const before = await runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old }).result;
    return { ...approvedRemoval(world, next), before };
  }

  /** The first look of the watch changes the world by `fall`. */
  function remove(what: Removal, fall: () => void = () => undefined): Promise<unknown> {
    world.frozenAt = Date.now();
    const run = runActivity(world, 'removeCa', what);
    run.onHeartbeat(({ line }) => {
      if (!/^watching/.test(String(line))) return;
      fall();
      world.frozenAt! += 100;
    });
    return run.result;
  }

  describe('authorities under one root', () => {
    beforeEach(async () => {
      other = await aNeighbour(world, sibling);
      trust(root, next);
    });

    it('a CA that a leaf of the other one chains to is not removed, and the target is named', async () => {
      const message = /Nothing was removed.*orders-worker: its leaf chains to what is to be removed from booking\.acct/;
      await assert.rejects(remove(await approved()), { type: 'EvidenceMissing', message });
      assert.deepEqual(world.bundle(), fingerprints(root, next));
    });

    it('nor where the leaf came while an operation of somebody else was waited for', async () => {
      const stale = other.pair;
      other.pair = await world.leafOf(next);
      world.cloud.whileBusy = (generation) => void (generation === 'run/remove' && (other.pair = stale));
      await assert.rejects(remove(await approved()), { type: 'WouldLockOut', message: new RegExp(neighbour) });
      assert.deepEqual(world.bundle(), fingerprints(root, next));
    });

    it('nor is it dropped by an abort', async () => {
      world.target.pair = await world.leafOf(world.old);
      other.pair = await world.leafOf(next);
      const step = { authority: 'booking', namespace: booking, ca: next.certificate.fingerprint, rotation: 'run' };
      await assert.rejects(runActivity(world, 'dropCa', step).result, {
        type: 'WouldLockOut',
        message: new RegExp(neighbour),
      });
      assert.deepEqual(world.bundle(), fingerprints(root, next));
    });
  });

  it('safety 11: filters that would refuse a leaf of the other authority are not set', async () => {
    world.config.namespaces[booking]!.filters = [{ commonName: 'worker' }];
    other = await aNeighbour(world, await aCaUnder(undefined));
    world.config.targets[neighbour]!.subject = { commonName: neighbour };
    await assert.rejects(remove(await approved()), { type: 'WouldLockOut', message: new RegExp(neighbour) });
    assert.deepEqual(world.filters(), []);
  });

  describe('the watch', () => {
    let another: KeyPair;
    beforeEach(async () => {
      another = await aCaUnder(undefined);
      other = await aNeighbour(world, another);
      trust(root, world.old, next, another);
    });

    it('is over when a target of another authority is there as before', async () => {
      await remove(await approved());
      assert.deepEqual(world.bundle(), fingerprints(next, another));
    });

    it('sees that a pod of it falls off', async () => {
      const fall = () => (other.pods[0]!.ready = false);
      await assert.rejects(remove(await approved(), fall), {
        type: 'RemovalUndone',
        message: /orders-worker-1: is not/,
      });
      assert.deepEqual(world.bundle().toSorted(), fingerprints(root, world.old, next, another).toSorted());
    });

    it('sees that a pod of it no longer polls', async () => {
      const fall = () => (other.pods[1]!.polls = false);
      await assert.rejects(remove(await approved(), fall), {
        type: 'RemovalUndone',
        message: /orders-worker-2 has not/,
      });
    });

    it('does not take for a fall-off what was so before', async () => {
      other.pods[0]!.ready = false;
      await remove(await approved());
      assert.deepEqual(world.bundle(), fingerprints(next, another));
    });

    it('leaves a leaf that is renewed meanwhile to its own rotation', async () => {
      const renewed = await world.leafOf(another);
      await remove(await approved(), () => (other.pair = renewed));
      assert.deepEqual(world.bundle(), fingerprints(next, another));
    });
  });
});
