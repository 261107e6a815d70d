import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Activities } from '../../src/activities/index.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { eventsOf } from '../support/audited.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 27: every change is put on record where it is made', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const authority = 'authority/booking';
  const namespace = `namespace/${booking}`;

  describe('a worker that is killed between a change and its event loses none:', () => {
    const killed = new Error('killed');
    const die = () => {
      throw killed;
    };
    /** The first attempt dies once `change` is made, the second lives. */
    async function killedOnce<Name extends keyof Activities>(name: Name, input: Parameters<Activities[Name]>[0]) {
      await assert.rejects(runActivity(world, name, input).result, killed);
      return runActivity(world, name, input, {}).result;
    }

    it('a bundle that was written', async () => {
      const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
      world.audited.length = 0;
      world.cloud.afterWrite = die;
      const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
      await killedOnce('trustCa', step);
      assert.deepEqual(eventsOf(world), [
        ['trustChanged', namespace, 'begins'],
        ['trustChanged', namespace, 'found'],
      ]);
      const [begun, found] = world.audited;
      assert.deepEqual(found!.after, begun!.after);
    });

    it('an old CA that was removed', async () => {
      const next = await world.moved();
      world.frozenAt = Date.now();
      world.cloud.afterWrite = (generation) => (generation.endsWith('/remove') ? die() : undefined);
      const removal = approvedRemoval(world, next);
      await assert.rejects(runActivity(world, 'removeCa', removal).result, killed);
      world.cloud.afterWrite = () => undefined;
      const run = runActivity(world, 'removeCa', removal, {});
      run.onHeartbeat(({ line }) => {
        if (/^watching/.test(String(line))) world.frozenAt! += 100;
      });
      await run.result;
      assert.deepEqual(eventsOf(world), [
        ['removalApproved', authority],
        ['trustChanged', namespace, 'begins'],
        ['trustChanged', namespace, 'found'],
      ]);
      assert.deepEqual((world.audited[2]!.after as { bundle: string[] }).bundle, [next.certificate.fingerprint]);
    });

    it('a leaf that was delivered', async () => {
      const { entry } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
      const deliver = world.target.deliver.bind(world.target);
      world.target.deliver = async (leaf) => {
        world.target.deliver = deliver;
        await deliver(leaf);
        return die();
      };
      await killedOnce('updateTarget', { target: 'worker', entry, rotation: 'run' });
      assert.deepEqual(eventsOf(world), [
        ['leafDelivered', 'target/worker', 'begins'],
        ['leafDelivered', 'target/worker', 'found'],
      ]);
    });

    it('a CA that was made', async () => {
      const create = world.keystore.create.bind(world.keystore);
      world.keystore.create = async (...entry) => {
        world.keystore.create = create;
        await create(...entry);
        return die();
      };
      await killedOnce('issueCa', { authority: 'booking', rotation: 'run' });
      assert.deepEqual(eventsOf(world).slice(0, 2), [
        ['caMade', authority, 'begins'],
        ['caMade', authority, 'found'],
      ]);
      assert.deepEqual(world.audited[1]!.after, world.audited[0]!.after);
    });

    it('the record of an authority, and that of how a rotation ended', async () => {
      const create = world.keystore.create.bind(world.keystore);
      const update = world.keystore.update.bind(world.keystore);
      world.keystore.update = async (...entry) => {
        world.keystore.update = update;
        await update(...entry);
        return die();
      };
      await killedOnce('issueCa', { authority: 'booking', rotation: 'run' });
      assert.deepEqual(
        world.audited.splice(0, 2).map(({ event }) => event),
        ['caMade', 'caMade'],
      );
      world.keystore.create = async (...entry) => {
        world.keystore.create = create;
        await create(...entry);
        return die();
      };
      await killedOnce('recordRotation', {
        authority: 'booking',
        startedAt: '2026-11-24T10:00:00.000Z',
        outcome: 'failed',
      });
      assert.deepEqual(eventsOf(world), [
        ['authorityChanged', authority, 'begins'],
        ['authorityChanged', authority, 'found'],
        ['rotationEnded', authority, 'begins'],
        ['rotationEnded', authority, 'found'],
      ]);
      assert.deepEqual(world.audited[3]!.after, world.audited[2]!.after);
    });

    it('workloads that were restarted', async () => {
      const next = await world.leafOf(world.old);
      const delivery = await world.target.deliver(next);
      const rollOut = world.target.rollOut.bind(world.target);
      world.target.rollOut = async (...given) => {
        world.target.rollOut = rollOut;
        await rollOut(...given);
        die();
      };
      await killedOnce('rollOut', { target: 'worker', delivery });
      assert.deepEqual(eventsOf(world), [
        ['workloadsRestarted', 'target/worker', 'begins'],
        ['workloadsRestarted', 'target/worker', 'found'],
      ]);
      assert.deepEqual(world.audited[1]!.after, next.certificate.fingerprint);
    });

    describe('a key that was destroyed', () => {
      const destroyed = () => eventsOf(world).filter(([event]) => event === 'keyDestroyed');
      let ca: string;
      let old: string;
      beforeEach(async () => {
        await world.moved();
        ca = world.record().next!;
        old = entries.ca('booking', world.old.certificate.fingerprint);
      });

      it('before its event', async () => {
        const update = world.keystore.update.bind(world.keystore);
        world.keystore.update = async (...entry) => {
          const updated = await update(...entry);
          if (entry[0] !== old) return updated;
          world.keystore.update = update;
          return die();
        };
        await killedOnce('finishCa', { authority: 'booking', ca });
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'found'],
        ]);
        assert.deepEqual(world.audited.at(-1)!.before, { entry: old });
        assert.equal(world.keystore.entries.get(old), undefined);
      });

      it('before what is beside it was removed', async () => {
        const remove = world.keystore.delete.bind(world.keystore);
        world.keystore.delete = async () => {
          world.keystore.delete = remove;
          die();
        };
        await assert.rejects(runActivity(world, 'finishCa', { authority: 'booking', ca }).result, killed);
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'done'],
        ]);
        assert.equal(world.keystore.entries.get(old)?.key, undefined, 'done, and there it is');
      });

      it('of an entry that cannot be read, which goes all the same', async () => {
        const get = world.keystore.get.bind(world.keystore);
        world.keystore.get = async (name) => {
          if (name === old) throw new RotationError('KeystoreUnreadable', 'planted.');
          return get(name);
        };
        await runActivity(world, 'finishCa', { authority: 'booking', ca }).result;
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'done'],
        ]);
        assert.equal(world.keystore.entries.get(old), undefined);
      });
    });
  });
});
