import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RotationError } from '../../src/domain/failures.js';
import { ApprovedRemoval, clocks, unavailable } from '../support/approved-removal.js';
import { aWorld, booking, type World, type WorldOptions } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  const begin = async (options?: WorldOptions) => {
    removal = await ApprovedRemoval.begin(options);
    ({ world } = removal);
  };
  beforeEach(() => begin());

  describe('when somebody falls off, exactly what was trusted before is trusted again', () => {
    /** Lets `fall` happen once the watch has begun. */
    async function whenWatching(fall: () => void | Promise<void>, reason: RegExp): Promise<void> {
      const run = await removal.watching();
      await fall();
      removal.timePasses = true;
      await removal.assertUndone(run.result, reason);
      assert.deepEqual(removal.generations(), ['run/remove', 'run/restore']);
    }

    it('the namespace refuses a leaf of the new CA', () =>
      whenWatching(() => {
        world.probe.answer = () => ({ outcome: 'refused', layer: 'tls', reason: 'unknown ca' });
      }, /trusted by booking\.acct again: .*refuses a leaf of the new CA: unknown ca/));

    it('a filter refuses a leaf of the new CA', () =>
      whenWatching(() => {
        world.probe.answer = () => ({ outcome: 'refused', layer: 'rpc', reason: 'filtered' });
      }, /refuses a leaf of the new CA: filtered/));

    it('safety 18: somebody puts a leaf of the old CA into a Secret', () =>
      whenWatching(async () => {
        world.target.pair = await world.leafOf(world.old);
      }, /the Secret of worker no longer holds a leaf of the new CA/));

    it('a pod stays away', () =>
      whenWatching(() => {
        world.target.pods[0]!.ready = false;
      }, /worker worker-1: is not ready/));

    it('every pod is gone', () =>
      whenWatching(() => {
        world.target.pods.length = 0;
      }, /worker: no pod uses its Secret/));

    it('a pod no longer polls, though the look that saw the end of the watch began before it', () =>
      whenWatching(() => {
        world.target.pods[1]!.polls = false;
        world.probe.answer = () => {
          world.frozenAt! += 1000;
          return undefined;
        };
      }, /worker worker-10 has not been seen to poll booking lately/));

    it('a pod no longer polls', () =>
      whenWatching(() => {
        world.target.pods[1]!.polls = false;
      }, /worker worker-10 has not been seen to poll booking lately/));

    for (const [how, offBy] of clocks)
      it(`a pod polled before the removal and not since, with a clock that is four minutes ${how}`, () => {
        removal.clockIsOff(offBy);
        return whenWatching(() => {
          world.target.pods[1]!.polls = false;
          const lastAccessTime = new Date(world.deps.now().getTime() - offBy).toISOString();
          world.strangers.push({ identity: '1@worker-10', lastAccessTime });
        }, /worker worker-10 has not been seen to poll booking lately/);
      });

    it('the proof after the removal fails', async () => {
      world.cloud.afterWrite = (generation) => {
        if (generation === 'run/remove') world.probe.answer = () => ({ outcome: 'accepted', remote: '' });
      };
      await removal.assertUndone(removal.run().result, /A leaf of the removed CA is not refused/);
    });

    it('the write changed more than it should', async () => {
      world.cloud.afterWrite = (generation) => {
        if (generation === 'run/remove') throw new RotationError('CloudSpecChanged', 'planted.');
      };
      await removal.assertUndone(removal.run().result, /planted/);
    });
  });

  it('safety 11: narrower filters come with the removal, and go with its undo', async () => {
    await begin({ filters: [{ commonName: 'worker' }] });
    const run = await removal.watching();
    assert.deepEqual(world.filters(), [{ commonName: 'worker' }]);
    world.target.pods.length = 0;
    removal.timePasses = true;
    await removal.assertUndone(run.result, /no pod uses/);
    assert.deepEqual(world.filters(), []);
  });

  it('a CA that others added meanwhile survives the undo', async () => {
    const foreign = (await aWorld()).old.certificate;
    const run = await removal.watching();
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, foreign] });
    world.target.pods.length = 0;
    removal.timePasses = true;
    await assert.rejects(run.result, { type: 'RemovalUndone' });
    assert.deepEqual([...world.bundle()].sort(), [...removal.fingerprints(), foreign.fingerprint].sort());
  });

  it('a person who cancels gets the old CA back', async () => {
    const run = await removal.watching();
    run.cancel();
    await assert.rejects(run.result, { name: 'CancelledFailure' });
    assert.deepEqual([...world.bundle()].sort(), removal.fingerprints().sort());
    assert.deepEqual(removal.generations(), ['run/remove', 'run/restore']);
  });

  describe('the undo does not need what it may have broken', () => {
    it('a removal that Temporal lost sight of is still watched and undone', async () => {
      for (const reason of ['TIMED_OUT', 'NOT_FOUND'] as const) {
        await begin();
        const run = await removal.watching();
        run.cancel(reason);
        world.target.pods.length = 0;
        removal.timePasses = true;
        await removal.assertUndone(run.result, /no pod uses/);
      }
    });

    it('it is tried until the cloud answers', async () => {
      let refusals = 0;
      world.cloud.beforeWrite = (generation) => {
        if (generation === 'run/restore' && (refusals += 1) < 2) unavailable('CloudUnavailable')();
      };
      const run = await removal.watching();
      world.target.pods.length = 0;
      removal.timePasses = true;
      await removal.assertUndone(run.result, /no pod uses/);
      assert.equal(refusals, 2);
    });

    it('after an attempt that undid it and could not say so, no other removes again', async () => {
      const run = await removal.watching();
      world.target.pods.length = 0;
      removal.timePasses = true;
      await assert.rejects(run.result);
      const writes = removal.generations();
      await assert.rejects(removal.run(run.heartbeats.find(({ removedAt }) => removedAt)).result, {
        type: 'RemovalUndone',
        message: /was undone, at a shell or by an earlier attempt/,
      });
      assert.deepEqual(removal.generations(), writes);
    });

    it('an attempt that died while it put the old CA back is taken up there', async () => {
      const before = removal.approved();
      const run = await removal.watching();
      run.cancel('WORKER_SHUTDOWN');
      await assert.rejects(run.result);
      const left = { line: 'putting back', removedAt: new Date().toISOString(), undoReason: 'somebody fell off.' };
      await removal.assertUndone(removal.run(left, before).result, /somebody fell off/);
    });
  });
});
