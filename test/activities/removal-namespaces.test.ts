import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Removal } from '../../src/activities/removal.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { ApprovedRemoval, unavailable } from '../support/approved-removal.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    removal = await ApprovedRemoval.begin();
    ({ world, next } = removal);
  });

  describe('safety 41: of several namespaces, each gets back what it trusted before', () => {
    const orders = 'orders.acct';
    let foreign: KeyPair;
    let what: Removal;
    beforeEach(async () => {
      foreign = (await aWorld()).old;
      const { old } = world;
      const before = { filters: [{ commonName: 'orders' }], removing: [old.certificate.fingerprint] };
      what = { ...removal.approved(), earlier: [{ ...before, namespace: orders, bundle: [old.certificate] }] };
      world.config.namespaces[orders] = { ...world.config.namespaces[booking]!, filters: [{ commonName: 'worker' }] };
      world.cloud.namespaces.set(orders, {
        ...world.cloud.namespaces.get(booking)!,
        namespace: orders,
        bundle: [next.certificate, foreign.certificate],
        filters: [{ commonName: 'worker' }],
      });
    });

    function assertBothAreBack(): void {
      const { bundle, filters } = world.cloud.namespaces.get(orders)!;
      const inOrders = bundle.map(({ fingerprint }) => fingerprint);
      assert.deepEqual(inOrders.toSorted(), [...removal.fingerprints(), foreign.certificate.fingerprint].toSorted());
      assert.deepEqual(filters, [{ commonName: 'orders' }]);
      assert.deepEqual(world.bundle().toSorted(), removal.fingerprints().toSorted());
      assert.equal(world.record().retiring, undefined);
    }

    it('when somebody falls off in the second one', async () => {
      const run = await removal.watching(what);
      world.target.pods.length = 0;
      removal.timePasses = true;
      await assert.rejects(run.result, {
        type: 'RemovalUndone',
        message: /trusted by booking\.acct, orders\.acct again/,
      });
      assertBothAreBack();
    });

    it('also by the next attempt, when the process was killed in between', async () => {
      const run = await removal.watching(what);
      const killed = new Promise<void>((resolve) => {
        world.cloud.beforeWrite = (generation, namespace) => {
          if (generation !== 'run/restore' || namespace !== orders) return undefined;
          resolve();
          return new Promise(() => undefined);
        };
      });
      world.target.pods.length = 0;
      removal.timePasses = true;
      await killed;
      assert.deepEqual(world.bundle().toSorted(), removal.fingerprints().toSorted());
      world.cloud.beforeWrite = () => undefined;
      await assert.rejects(removal.run(run.heartbeats.at(-1), what).result, { type: 'RemovalUndone' });
      assertBothAreBack();
    });

    it('one that cannot be changed keeps no other one from it', async () => {
      const run = await removal.watching(what);
      world.cloud.beforeWrite = (generation, namespace) => {
        if (generation === 'run/restore' && namespace === booking) unavailable('CloudForbidden')();
      };
      world.target.pods.length = 0;
      removal.timePasses = true;
      await assert.rejects(run.result, { type: 'CloudForbidden', nonRetryable: true });
      assert.ok(world.cloud.namespaces.get(orders)!.bundle.some((ca) => ca.fingerprint === removal.fingerprints()[0]));
    });
  });
});
