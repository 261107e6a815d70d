import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { digestOf } from '../../src/activities/evidence.js';
import { RotationError } from '../../src/domain/failures.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { ApprovedRemoval } from '../support/approved-removal.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    removal = await ApprovedRemoval.begin();
    ({ world, next } = removal);
  });

  describe('safety 12: the last checks are made again inside the removal', () => {
    it('safety 18: a target that went back to the old CA', async () => {
      world.target.pair = await world.leafOf(world.old);
      await assert.rejects(removal.run().result, {
        type: 'EvidenceMissing',
        message: /worker: its Secret does not hold/,
      });
      assert.deepEqual(removal.generations(), []);
    });

    it('safety 18: a Secret that another controller makes by now', async () => {
      world.target.before = (verb) => {
        if (verb === 'inspect') throw new RotationError('SecretOwned', 'planted.');
      };
      await assert.rejects(removal.run().result, {
        type: 'EvidenceMissing',
        message: /worker: could not be looked at: planted/,
      });
      assert.deepEqual(removal.generations(), []);
    });

    it('a pod that is on another leaf', async () => {
      world.target.pods[1]!.leaf = 'another';
      await assert.rejects(removal.run().result, {
        type: 'EvidenceMissing',
        message: /worker worker-10: has another leaf/,
      });
      assert.deepEqual(removal.generations(), []);
    });

    it('a leaf that went back to the old CA while an operation of somebody else was waited for', async () => {
      const stale = await world.leafOf(world.old);
      world.cloud.whileBusy = (generation) => {
        if (generation === 'run/remove') world.target.pair = stale;
      };
      await assert.rejects(removal.run().result, { type: 'WouldLockOut', message: /worker/ });
      assert.deepEqual(removal.generations(), []);
    });

    it('a target without a pod', async () => {
      world.target.pods.length = 0;
      await assert.rejects(removal.run().result, { type: 'EvidenceMissing', message: /no pod uses its Secret/ });
      assert.deepEqual(removal.generations(), []);
    });
  });

  describe('safety 40: the removal happens only on the evidence that was approved', () => {
    async function isVoid(
      change: () => void | Promise<void>,
      reason: RegExp,
      what = removal.approved(),
    ): Promise<void> {
      await change();
      await assert.rejects(removal.run(undefined, what).result, { type: 'EvidenceChanged', message: reason });
      assert.ok(!removal.generations().includes('run/remove'), 'it was removed');
      assert.ok(!removal.generations().includes('run/restore'), 'what others changed was overwritten');
    }
    const trust = () => world.cloud.namespaces.get(booking)!;

    it('a CA that came is named', async () => {
      const foreign = (await aWorld()).old.certificate;
      await isVoid(
        () => void world.cloud.namespaces.set(booking, { ...trust(), bundle: [...trust().bundle, foreign] }),
        new RegExp(`new: namespace booking\\.acct trusts CA ${foreign.fingerprint}`),
      );
    });

    it('a filter that came is named', () =>
      isVoid(
        () => void world.cloud.namespaces.set(booking, { ...trust(), filters: [{ commonName: 'Worker' }] }),
        /new: namespace booking\.acct has filter commonName=worker/,
      ));

    it('another configuration', () => {
      const before = removal.approved();
      return isVoid(() => void Object.assign(world.deps, { configDigest: 'another' }), /configuration another/, before);
    });

    it('a stranger that goes on polling, after pods that a renewal replaced had time to fall silent', () =>
      isVoid(() => {
        world.beforePollers = () => {
          world.strangers[0] = { identity: '1@laptop', lastAccessTime: world.deps.now().toISOString() };
        };
      }, /new: poller 1@laptop \(booking\)/));

    it('an approval of other evidence', () => {
      const { approval, ...what } = removal.approved();
      const decision = { ...approval.decision, evidence: 'f'.repeat(64) };
      return isVoid(() => undefined, /for other evidence/, { ...what, approval: { ...approval, decision } });
    });

    it('what somebody changed between the last look and the write is named, and not overwritten', async () => {
      const foreign = (await aWorld()).old.certificate;
      const run = removal.run();
      run.onHeartbeat(({ line }) => {
        if (/^removing CA/.test(String(line)))
          world.cloud.namespaces.set(booking, { ...trust(), bundle: [...trust().bundle, foreign] });
      });
      const message = new RegExp(
        `Somebody else changed what booking\\.acct trusts meanwhile: new: namespace booking\\.acct trusts CA ${foreign.fingerprint}\\.`,
      );
      await assert.rejects(run.result, { type: 'EvidenceChanged', message });
      assert.deepEqual(removal.generations(), []);
      assert.ok(world.bundle().includes(foreign.fingerprint));
    });

    it('a leaf that was renewed under the new CA, its old pod still listed, voids nothing', async () => {
      const before = removal.approved();
      world.target.pair = await world.leafOf(next);
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      world.frozenAt = Date.now();
      world.strangers.push({ identity: '1@replaced', lastAccessTime: new Date(world.frozenAt).toISOString() });
      await removal.run(undefined, before).result;
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });

    it('a stranger that was approved and polls no longer voids nothing', async () => {
      world.strangers.push({ identity: '1@laptop', lastAccessTime: new Date(Date.now() - 50).toISOString() });
      const { approval, ...what } = removal.approved();
      const facts = [...approval.facts, 'poller 1@laptop (booking) belongs to no known target'].sort();
      const decision = { ...approval.decision, evidence: digestOf(facts) };
      world.strangers.length = 0;
      await removal.run(undefined, { ...what, approval: { ...approval, facts, decision } }).result;
      assert.deepEqual(removal.generations(), ['run/remove']);
    });
  });
});
