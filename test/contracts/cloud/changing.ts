import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTrust, restOf } from '../../../src/cloud/namespace-spec.js';
import { bytesField, contentOf, fieldsOf, messageOf } from '../../../src/cloud/wire.js';
import { fails, fingerprints, generation, namespace, planned, type CloudWorld } from './world.js';

const fieldOfTomorrow = 99;

/** A change, where nobody and nothing comes in between. */
export function changing(world: CloudWorld): void {
  const { bundle, change, editBundle, spec, writes } = world;

  describe('changing', () => {
    it('adds a CA next to the old one, and tells before, after and the operation', async () => {
      const { changed, operationId, before, after } = await change({ add: [world.two] });
      assert.deepEqual(bundle(), fingerprints(world.one, world.two));
      assert.deepEqual(fingerprints(...before.bundle), fingerprints(world.one));
      assert.deepEqual(fingerprints(...after.bundle), fingerprints(world.one, world.two));
      assert.deepEqual([changed, world.store.operation(operationId!)?.state], [true, 'FULFILLED']);
    });

    it('nothing to change succeeds unchanged, without a write', async () => {
      const { changed, operationId } = await change({ add: [world.one] });
      assert.deepEqual([changed, operationId, writes()], [false, undefined, 0]);
    });

    it('"nothing to change" from the server is a success when the re-read shows what is wanted', async () => {
      const first = { done: false };
      const { changed } = await world.cloud.changeTrust(
        namespace,
        (current) => {
          if (!first.done) editBundle([world.one, world.two]);
          first.done = true;
          return planned({ add: [world.two] })(current);
        },
        { generation },
      );
      assert.equal(changed, false);
      assert.deepEqual(bundle(), fingerprints(world.one, world.two));
    });

    it('all expired CAs leave in the same write: one that stays makes the server refuse every change', async () => {
      editBundle([world.expired, world.one, world.expiredToo]);
      await change({ add: [world.two] });
      assert.deepEqual([bundle(), writes()], [fingerprints(world.one, world.two), 1]);
    });

    it('spec fields that nobody here knows survive, byte for byte', async () => {
      const before = restOf(spec());
      await change({ add: [world.two], filters: [{ commonName: 'worker' }] });
      await change({ remove: [world.one], filters: [] });
      assert.equal(restOf(spec()), before);
      const kept = contentOf(fieldsOf(spec()), fieldOfTomorrow);
      assert.equal(Buffer.from(kept!).toString(), 'a field of tomorrow');
    });

    it('the re-read proves it: something else that changed meanwhile is CloudSpecChanged', async () => {
      world.onEffect = () =>
        world.store.edit(namespace, (current) => messageOf([...fieldsOf(current), bytesField(98, Buffer.from('new'))]));
      await assert.rejects(change({ add: [world.two] }), fails('CloudSpecChanged'));
      assert.deepEqual(bundle(), fingerprints(world.one, world.two));
    });

    it('filters are set, kept while only the bundle changes, and cleared', async () => {
      const filters = [{ commonName: 'worker*' }, { organization: 'Acme', organizationalUnit: 'Ops' }];
      await change({ filters });
      assert.deepEqual(readTrust(spec()).filters, filters);
      await change({ add: [world.two] });
      assert.deepEqual(readTrust(spec()).filters, filters);
      await change({ filters: [] });
      assert.deepEqual([readTrust(spec()).filters, bundle()], [[], fingerprints(world.one, world.two)]);
    });

    it('bundle and filters change together', async () => {
      editBundle([world.one, world.two]);
      const { changed, after } = await change({ remove: [world.one], filters: [{ commonName: 'worker' }] });
      assert.deepEqual([changed, fingerprints(...after.bundle)], [true, fingerprints(world.two)]);
      assert.deepEqual(readTrust(spec()).filters, [{ commonName: 'worker' }]);
    });

    it('every request carries the version header', async () => {
      await change({ add: [world.two] });
      assert.ok(world.api.requests.length >= 4);
      assert.deepEqual(
        world.api.requests.filter(({ apiVersion }) => !apiVersion),
        [],
      );
    });
  });
}
