import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Removal } from '../../src/activities/removal.js';
import { entries } from '../../src/domain/ids.js';
import { parseSavedTrust, type SavedNamespace, type SavedTrust } from '../../src/domain/saved-trust.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificates } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { ApprovedRemoval } from '../support/approved-removal.js';
import { booking, type World, type WorldOptions } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  let next: KeyPair;
  const begin = async (options?: WorldOptions) => {
    removal = await ApprovedRemoval.begin(options);
    ({ world, next } = removal);
  };
  beforeEach(() => begin());

  describe('safety 15: what was trusted before is kept, and can be put back by hand', () => {
    it('it is beside the authority before anything is removed, in place of what the last removal kept', async () => {
      for (let removals = 0; removals < 2; removals += 1) {
        world.cloud.namespaces.set(booking, {
          ...world.cloud.namespaces.get(booking)!,
          filters: [{ commonName: `${removals}` }],
        });
        const old = world.old.certificate.fingerprint;
        const before = await runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old })
          .result;
        assert.deepEqual(before.removing, [old]);
        const kept = world.keystore.entries.get(entries.trust('booking', booking))!;
        assert.equal(kept.key, undefined);
        const saved = parseSavedTrust(JSON.stringify(kept.record)) as SavedTrust;
        const [{ bundle, filters }] = saved.namespaces as [SavedNamespace];
        assert.deepEqual(
          readCertificates(bundle).map(({ fingerprint }) => fingerprint),
          removal.fingerprints(),
        );
        assert.deepEqual(filters, [{ commonName: `${removals}` }]);
      }
    });

    describe('also by the run after one that was terminated in the watch', () => {
      beforeEach(() => begin({ filters: [{ commonName: 'worker' }] }));

      const remember = () => {
        const old = world.old.certificate.fingerprint;
        return runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old }).result;
      };
      /** Its process is gone, and the next run approves and remembers anew. */
      async function terminated(): Promise<Removal> {
        const run = await removal.watching({ ...removal.approved(), before: await remember() });
        run.cancel('WORKER_SHUTDOWN');
        await assert.rejects(run.result);
        assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
        return { ...removal.approved(), before: await remember(), rotation: 'run-2' };
      }

      it('which holds the watch again, and keeps what was before for break-glass', async () => {
        const what = await terminated();
        const { namespaces } = world.keystore.entries.get(entries.trust('booking', booking))!.record as SavedTrust;
        const [{ bundle, filters }] = namespaces as [SavedNamespace];
        const kept = readCertificates(bundle).map(({ fingerprint }) => fingerprint);
        assert.deepEqual([kept, filters], [removal.fingerprints(), []]);
        removal.timePasses = true;
        const { lines } = await removal.run(undefined, what).result;
        assert.match(lines.join(), /at the end of the watch/);
        assert.deepEqual(removal.generations(), ['run/remove']);
      });

      it('which puts back exactly that when somebody falls off', async () => {
        const run = await removal.watching(await terminated());
        world.target.pods.length = 0;
        removal.timePasses = true;
        await removal.assertUndone(run.result, /no pod uses/);
        assert.deepEqual(world.filters(), []);
        assert.deepEqual(removal.generations(), ['run/remove', 'run-2/restore']);
      });

      it('which puts back exactly that when a person has it undone', async () => {
        const run = await removal.watching(await terminated());
        run.cancel();
        await assert.rejects(run.result, { name: 'CancelledFailure' });
        assert.deepEqual(world.bundle().toSorted(), removal.fingerprints().toSorted());
        assert.deepEqual(world.filters(), []);
      });

      it('but what another removal kept is not taken for it', async () => {
        await remember();
        const entry = (await world.keystore.get(entries.trust('booking', booking)))!;
        const record = { ...(entry.record as SavedTrust), removal: { old: 'another', neighbours: [] } };
        await world.keystore.update(entry.name, { ...entry, record }, entry.version);
        const trust = world.cloud.namespaces.get(booking)!;
        world.cloud.namespaces.set(booking, { ...trust, bundle: [next.certificate] });
        assert.deepEqual((await remember()).removing, []);
      });
    });

    const back = () => {
      const trust = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, world.old.certificate] });
    };

    it('whoever puts the old CA back during the watch has the removal undone', async () => {
      const run = await removal.watching();
      back();
      removal.timePasses = true;
      await assert.rejects(run.result, {
        type: 'RemovalUndone',
        message: /Somebody put CA \w{8} back into booking\.acct/,
      });
      assert.deepEqual([...world.bundle()].sort(), removal.fingerprints().sort());
    });

    it('also when the attempt that watched has died: the next one does not remove it again', async () => {
      const what = removal.approved();
      const run = await removal.watching(what);
      run.cancel('WORKER_SHUTDOWN');
      await assert.rejects(run.result);
      back();
      removal.timePasses = true;
      await assert.rejects(removal.run(run.heartbeats.at(-1), what).result, { type: 'RemovalUndone' });
      assert.deepEqual([...world.bundle()].sort(), removal.fingerprints().sort());
      assert.deepEqual(removal.generations().filter((generation) => generation === 'run/remove').length, 1);
    });
  });
});
