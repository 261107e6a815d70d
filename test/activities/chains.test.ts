import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aCaUnder } from '../support/chains.js';
import { aWorld, booking, type World } from '../support/fakes.js';

const ids = { target: 'worker', rotation: 'run' };

describe('safety 3: an authority that is an intermediate', () => {
  let world: World;
  let root: KeyPair;
  beforeEach(async () => {
    root = await aCaUnder(undefined);
    world = await aWorld({ old: await aCaUnder(root) });
  });

  const trusted = (...cas: readonly KeyPair[]) => {
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: cas.map(({ certificate }) => certificate) });
  };
  const fingerprints = (...cas: readonly KeyPair[]) => cas.map(({ certificate }) => certificate.fingerprint);

  it('its leaves are tested and delivered with it, so that a namespace that trusts its root only admits them', async () => {
    trusted(root);
    const { entry } = await runActivity(world, 'issueLeaf', ids).result;
    await runActivity(world, 'testConnection', { target: 'worker', entry }).result;
    await runActivity(world, 'updateTarget', { ...ids, entry }).result;
    assert.deepEqual(world.target.pair?.chain, [world.old.certificate]);
  });

  it('the previous pair goes back with its chain', async () => {
    const { chain } = world.target.pair!;
    assert.deepEqual(chain, [world.old.certificate]);
    const { entry } = await runActivity(world, 'issueLeaf', ids).result;
    await runActivity(world, 'updateTarget', { ...ids, entry }).result;
    trusted(root);
    await runActivity(world, 'restoreTarget', { ...ids, rolledOut: false }).result;
    assert.deepEqual(world.target.pair?.chain, chain);
  });

  describe('when it is removed', () => {
    let next: KeyPair;
    beforeEach(async () => {
      next = await world.moved();
    });

    function remove() {
      world.frozenAt = Date.now();
      const run = runActivity(world, 'removeCa', approvedRemoval(world, next));
      run.onHeartbeat(({ line }) => {
        if (/^watching/.test(String(line))) world.frozenAt! += 100;
      });
      return run.result;
    }

    it('its root, which issued nobody else, goes in the same write: its leaves would be admitted by it', async () => {
      await remove();
      assert.deepEqual(world.bundle(), fingerprints(next));
    });

    it('its root goes when the namespace trusts it alone', async () => {
      trusted(root, next);
      const { lines } = await remove();
      assert.deepEqual(world.bundle(), fingerprints(next));
      assert.match(lines.join('\n'), /refuses a leaf of CA \w{8} that it admitted before/);
    });

    it('nothing is removed while its root issued another CA that stays, which is named', async () => {
      const sibling = await aCaUnder(root);
      trusted(root, world.old, sibling, next);
      const name = sibling.certificate.fingerprint.slice(0, 8);
      await assert.rejects(remove(), { type: 'WouldLockOut', message: new RegExp(name) });
      assert.deepEqual(world.bundle(), fingerprints(root, world.old, sibling, next));
    });

    it('nothing is removed while a leaf in use chains to its root by way of another CA', async () => {
      const sibling = await aCaUnder(root);
      trusted(root, next);
      const [known, strange] = [world.target.pair!, await world.leafOf(sibling)];
      // Somebody changes the Secret between the evidence and the write.
      world.target.before = (verb) => void (world.target.pair = verb === 'read' ? strange : known);
      await assert.rejects(remove(), { type: 'WouldLockOut', message: /worker/ });
      assert.deepEqual(world.bundle(), fingerprints(root, next));
    });

    it('no leaf of it is put back', async () => {
      const previous = await world.leafOf(world.old);
      const name = entries.previous('worker', 'run');
      await world.keystore.create(name, { ...previous, owner: 'leaf/worker' });
      const { line } = await runActivity(world, 'restoreTarget', { ...ids, rolledOut: false }).result;
      assert.match(line, /its CA is being removed/);
    });
  });
});
