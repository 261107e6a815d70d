import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { aWorld, type World } from '../support/fakes.js';

describe('gatherEvidence', () => {
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    next = await world.moved();
    world.frozenAt = Date.now();
  });

  const gather = () =>
    runActivity(world, 'gatherEvidence', { authority: 'booking', ca: next.certificate.fingerprint }).result;
  const seen = (identity: string, ago: number) => ({
    identity,
    lastAccessTime: new Date(world.frozenAt! - ago).toISOString(),
  });

  it('is complete when every Secret and every pod is on the new CA', async () => {
    const { complete, lines, missing, unknownPollers } = await gather();
    assert.deepEqual(
      { complete, lines, missing, unknownPollers },
      {
        complete: true,
        lines: ['worker worker-1: started with the leaf', 'worker worker-10: started with the leaf'],
        missing: [],
        unknownPollers: [],
      },
    );
  });

  it('safety 18: a Secret that went back to a leaf of another CA does not count', async () => {
    world.target.pair = await world.leafOf((await aWorld()).old);
    const { complete, missing } = await gather();
    assert.deepEqual([complete, missing], [false, ['worker: its Secret does not hold a leaf of the new CA']]);
  });

  it('names the pod that is not on the new leaf', async () => {
    world.target.pods[1]!.leaf = 'another';
    const { complete, missing } = await gather();
    assert.deepEqual([complete, missing], [false, ['worker worker-10: has another leaf']]);
  });

  describe('pollers of no known target', () => {
    it('are those that polled during the soak and belong to no pod', async () => {
      world.strangers.push(seen('1@laptop', 100));
      assert.deepEqual((await gather()).unknownPollers, ['1@laptop (booking)']);
    });

    it('are not those that ended before the soak began', async () => {
      world.strangers.push(seen('1@worker-0-of-yesterday', 500));
      assert.deepEqual((await gather()).unknownPollers, []);
    });

    it('are not hidden by a pod whose name theirs begins with', async () => {
      world.target.pods.pop();
      world.strangers.push(seen('1@worker-10', 100));
      assert.deepEqual((await gather()).unknownPollers, ['1@worker-10 (booking)']);
    });
  });
});
