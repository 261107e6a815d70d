import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { FailureType } from '../../src/domain/failures.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { ApprovedRemoval, unavailable } from '../support/approved-removal.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  beforeEach(async () => {
    removal = await ApprovedRemoval.begin();
    ({ world } = removal);
  });

  describe('safety 12: nothing is removed while the namespace does not trust the new CA any more', () => {
    let foreign: KeyPair;
    beforeEach(async () => {
      foreign = (await aWorld()).old;
    });
    const trusted = () => [world.old.certificate, foreign.certificate];
    /** Somebody, Terraform for instance, puts back what the namespace trusted before the rotation. */
    function revert(): void {
      world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, bundle: trusted() });
    }
    async function isRefused(
      result: Promise<unknown>,
      message: RegExp,
      type: FailureType = 'NewCaNotTrusted',
    ): Promise<void> {
      await assert.rejects(result, { type, message, nonRetryable: true });
      assert.deepEqual(removal.generations(), []);
    }
    const distrusted = /Nothing was removed: booking\.acct does not trust the new CA \w{8} any more.*retry/;

    it('though it was approved so', async () => {
      revert();
      await isRefused(removal.run().result, distrusted);
    });

    it('nor when that happens between the last look and the write', async () => {
      const run = removal.run();
      run.onHeartbeat(({ line }) => {
        if (/^removing CA/.test(String(line))) revert();
      });
      await isRefused(run.result, distrusted);
    });

    it('nor while a leaf in use has no valid CA in what would be left', async () => {
      const strange = await world.leafOf(foreign);
      world.cloud.whileBusy = (generation) => {
        if (generation === 'run/remove') world.target.pair = strange;
      };
      await isRefused(removal.run().result, /No CA that would be left admits the leaf of worker/, 'WouldLockOut');
    });
  });

  it('safety 41: nothing is removed that expires during the watch, because it could not be put back', async () => {
    world.frozenAt = Date.parse(world.old.certificate.notAfter) - 100;
    await assert.rejects(removal.run().result, { type: 'OldCaExpiring', message: /Nothing was removed.*expires at/ });
    assert.deepEqual(removal.generations(), []);
  });

  describe('safety 24: nothing is removed by an API key that could not put it back, whatever preflight saw of it', () => {
    it('one that ends before the watch does', async () => {
      const now = (world.frozenAt = Date.now());
      world.cloud.key = { ...world.cloud.key!, keyExpires: new Date(now + 300).toISOString() };
      const message = /Nothing was removed from booking\.acct: the API key of service account rotation ends at/;
      await assert.rejects(removal.run().result, { type: 'CloudKeyExpires', message, nonRetryable: true });
      assert.deepEqual(removal.generations(), []);
    });

    it('one that may not change the namespace any more', async () => {
      world.cloud.key = { ...world.cloud.key!, permissions: { [booking]: 'read' } };
      await assert.rejects(removal.run().result, { type: 'CloudForbidden', message: /may only read booking\.acct/ });
      assert.deepEqual(removal.generations(), []);
    });

    it('but a removal that an earlier attempt made is watched all the same', async () => {
      const before = removal.approved();
      await removal.run().result;
      world.cloud.key = { ...world.cloud.key!, permissions: { [booking]: 'read' } };
      await removal.run(undefined, before).result;
    });
  });

  it('a failure that a retry may mend undoes nothing', async () => {
    world.cloud.beforeWrite = unavailable('CloudUnavailable');
    await assert.rejects(removal.run().result, { type: 'CloudUnavailable', nonRetryable: false });
    assert.equal(world.record().retiring, world.old.certificate.fingerprint);
  });
});
