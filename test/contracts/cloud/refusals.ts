import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NamespaceTrust, WantedTrust } from '../../../src/cloud/cloud.js';
import { fieldsOf, messageOf } from '../../../src/cloud/wire.js';
import { planFilters } from '../../../src/domain/bundle.js';
import type { FailureType } from '../../../src/domain/failures.js';
import { aCa, aLeaf } from '../../support/certificates.js';
import { fails, generation, namespace, planned, type CloudWorld } from './world.js';

/** What is never written. */
export function refusals(world: CloudWorld): void {
  const { editBundle, writes } = world;

  describe('refusals of ours, whatever a server would say', () => {
    const refused = async (decide: (current: NamespaceTrust) => WantedTrust, type: FailureType) => {
      const before = world.store.get(namespace);
      await assert.rejects(world.cloud.changeTrust(namespace, decide, { generation }), fails(type));
      assert.deepEqual([world.store.get(namespace), writes()], [before, 0]);
    };

    it('no bundle without a CA', () => refused(({ filters }) => ({ bundle: [], filters }), 'WouldLockOut'));

    it('no bundle without a valid CA', () =>
      refused(({ filters }) => ({ bundle: [world.expired], filters }), 'WouldLockOut'));

    it('no write while mTLS is not enabled: it would be written back as disabled', async () => {
      world.store.edit(namespace, (current) => messageOf(fieldsOf(current).filter(({ number }) => number !== 4)));
      await refused(({ filters }) => ({ bundle: [world.two], filters }), 'WouldLockOut');
    });

    it('no seventeenth CA', async () => {
      editBundle(await Promise.all(Array.from({ length: 16 }, async () => (await aCa()).certificate)));
      await refused(planned({ add: [world.two] }), 'BundleFull');
    });

    it('what the decision refuses is not written', () => refused(planned({ remove: [world.one] }), 'WouldLockOut'));

    it('no removal of a CA that a leaf in use chains to, though another valid one stays', async () => {
      editBundle([world.one, world.two]);
      await refused(planned({ remove: [world.one], inUse: [world.one] }), 'WouldLockOut');
    });

    it('no filter that a leaf in use does not match', async () => {
      const leaves = [{ name: 'worker', certificate: (await aLeaf(await aCa())).certificate }];
      const wanted = [{ commonName: 'somebody-else' }];
      await refused(({ bundle }) => ({ bundle, filters: planFilters({ wanted, leaves }) }), 'WouldLockOut');
    });
  });
}
