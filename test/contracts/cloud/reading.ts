import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withTrust } from '../../../src/cloud/namespace-spec.js';
import { fails, fingerprints, namespace, type CloudWorld } from './world.js';

/** A namespace as it is. */
export function reading(world: CloudWorld): void {
  const { change, editBundle, writes } = world;

  describe('reading', () => {
    it('tells bundle, filters, endpoint, version and that mTLS is on', async () => {
      editBundle([world.one, world.two], [{ commonName: 'worker*', organization: 'Acme' }]);
      const { bundle: found, ...rest } = await world.cloud.readNamespace(namespace);
      assert.deepEqual(fingerprints(...found), fingerprints(world.one, world.two));
      assert.deepEqual(rest, {
        namespace,
        resourceVersion: '2',
        filters: [{ commonName: 'worker*', organization: 'Acme' }],
        endpoints: ['orders.example:7233'],
        mtlsEnabled: true,
      });
    });

    it('a bundle is what its DER is, whatever form its PEM has', async () => {
      const form = `# ours\r\n\r\n${world.one.pem.replaceAll('\n', '\r\n')}\r\n${world.two.pem.trimEnd()}`;
      world.store.edit(namespace, (current) => withTrust(current, { bundle: [{ ...world.one, pem: form }] }));
      assert.deepEqual(
        fingerprints(...(await world.cloud.readNamespace(namespace)).bundle),
        fingerprints(world.one, world.two),
      );
      assert.equal((await change({ add: [world.two] })).changed, false);
    });

    it('garbage in the bundle is BundleUnreadable, and nothing is written', async () => {
      world.store.edit(namespace, (current) =>
        withTrust(current, { bundle: [{ ...world.one, pem: `${world.one.pem}garbage\n` }] }),
      );
      const before = world.store.get(namespace);
      await assert.rejects(world.cloud.readNamespace(namespace), fails('BundleUnreadable'));
      await assert.rejects(change({ add: [world.two] }), fails('BundleUnreadable'));
      assert.deepEqual([world.store.get(namespace), writes()], [before, 0]);
    });
  });
}
