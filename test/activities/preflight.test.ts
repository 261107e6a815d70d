import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RotationError } from '../../src/domain/failures.js';
import { runActivity } from '../support/activity-run.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';

describe('preflightCa', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const preflight = async () => (await runActivity(world, 'preflightCa', { authority: 'booking' }).result).lines;
  const trust = (change: object) => {
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, ...change });
  };
  const fullBundle = async () =>
    Promise.all(Array.from({ length: 16 }, async (_, index) => (await aCa(index)).certificate));

  it('says what it found', async () => {
    const lines = (await preflight()).join('\n');
    assert.match(lines, /the clock here is 0 s/);
    assert.match(lines, /booking\.acct trusts 1 of 16 CAs/);
    assert.match(lines, /worker: Deployment booking\/worker/);
    assert.match(lines, /worker: one replica/);
  });

  describe('safety 5: of two namespaces that trust one authority', () => {
    const other = 'other.acct';
    /** The leaf of the target polls in the first alone; the filters of the second are for others. */
    const shared = (sharedTrust: boolean) => {
      const authority = world.config.authorities['booking']!;
      Object.assign(authority, { namespaces: [booking, other], sharedTrust });
      Object.assign(world.config.namespaces, {
        [other]: { endpoints: ['127.0.0.1:1'], filters: [{ commonName: 'other' }] },
      });
      const filters = [{ commonName: 'other' }];
      world.cloud.namespaces.set(other, { ...world.cloud.namespaces.get(booking)!, namespace: other, filters });
    };

    it('safety 5: a leaf has to match the filters of its own namespaces only', async () => {
      shared(false);
      assert.match((await preflight()).join('\n'), /other\.acct has 1 filters; the 1 wanted ones admit every leaf/);
    });

    it('safety 5: and it is proved to be admitted there only', async () => {
      shared(false);
      const asked = new Set<string>();
      world.probe.answer = (_, { namespace }) => (asked.add(namespace), undefined);
      const { entry } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
      await runActivity(world, 'testConnection', { target: 'worker', entry }).result;
      assert.deepEqual([...asked], [booking]);
    });

    it('safety 5: where they share their trust on purpose, every leaf has to match everywhere', async () => {
      shared(true);
      await assert.rejects(preflight(), { type: 'WouldLockOut', message: /would refuse worker/ });
    });
  });

  describe('safety 24: the API key outlives everything that a rotation may wait for', () => {
    /** By the defaults of the world: an approval that waits for five days, and some seconds. */
    const key = (change: object) => {
      world.cloud.key = { ...world.cloud.key!, ...change };
    };
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

    it('safety 24: one that ends while the approval may still wait is refused', async () => {
      key({ keyExpires: inDays(5) });
      await assert.rejects(preflight(), { type: 'CloudKeyExpires', message: /service account rotation ends at/ });
    });

    it('safety 24: one that lasts is named, with its end', async () => {
      key({ keyExpires: inDays(6) });
      assert.match((await preflight()).join('\n'), /the API key of service account rotation lasts until \d{4}-/);
    });

    it('safety 24: where the cloud does not tell, that is said', async () => {
      key({ keyExpires: undefined });
      assert.match((await preflight()).join('\n'), /does not tell when it ends/);
      world.cloud.key = undefined;
      assert.match((await preflight()).join('\n'), /does not tell whose the API key is/);
    });
  });

  it('refuses a bundle that has no room, before anything is made', async () => {
    trust({ bundle: await fullBundle() });
    await assert.rejects(preflight(), { type: 'BundleFull' });
    assert.deepEqual(world.cloud.writes, []);
  });

  it('a full bundle that holds the next CA already needs no room', async () => {
    const next = await world.moved();
    trust({ bundle: [...(await fullBundle()).slice(1), next.certificate] });
    assert.match((await preflight()).join(), /trusts the next CA \w{8} already/);
  });

  it('refuses filters that would refuse a leaf to come, even if the leaf in use passes', async () => {
    world = await aWorld({ filters: [{ organization: 'Acme' }] });
    world.target.pair = undefined;
    await assert.rejects(preflight(), {
      type: 'WouldLockOut',
      message: /would refuse worker \(its configured subject\)/,
    });
  });

  it('refuses filters that would refuse a leaf in use', async () => {
    const issuer = world.deps.issuer('booking');
    const leaf = {
      subject: { commonName: 'legacy' },
      algorithm: 'P-256',
      lifetimeMs: 86_400_000,
      now: new Date(),
    } as const;
    world = await aWorld({ filters: [{ commonName: 'worker' }] });
    world.target.pair = await issuer.issueLeaf(world.old, leaf);
    await assert.rejects(preflight(), { type: 'WouldLockOut', message: /would refuse worker \(CN=legacy\)/ });
  });

  it('looks at the filters in place where the configuration wants none', async () => {
    trust({ filters: [{ commonName: 'somebody-else' }] });
    await assert.rejects(preflight(), { type: 'WouldLockOut' });
  });

  it('refuses a namespace without mTLS', async () => {
    trust({ mtlsEnabled: false });
    await assert.rejects(preflight(), { type: 'WouldLockOut', message: /mTLS is not enabled on booking\.acct/ });
  });

  it('names an operation that is running', async () => {
    trust({ operationInProgress: 'op-7' });
    assert.match((await preflight()).join(), /booking\.acct: operation op-7 is running; it is waited for/);
  });

  it('refuses a clock that is off by more than five minutes, either way', async () => {
    // The API server's clock tells whole seconds: this one is about to end.
    world.frozenAt = 1000 * Math.ceil(Date.now() / 1000) - 1;
    world.clusterOffsetMs = 4 * 60_000;
    assert.match((await preflight()).join(), /the clock here is 240 s behind/);
    for (const offset of [6 * 60_000, -6 * 60_000]) {
      world.clusterOffsetMs = offset;
      await assert.rejects(preflight(), { type: 'ClockSkewed', message: /360 s (behind|ahead of)/ });
    }
  });

  it('refuses a program that is not there, before anything is changed, for a CA and for a leaf', async () => {
    Object.assign(world.deps, {
      assertPrograms: async (authority: string) => {
        throw new RotationError('ToolMissing', `planted for ${authority}.`);
      },
    });
    const refusal = { type: 'ToolMissing', message: /planted for booking/ };
    await assert.rejects(preflight(), refusal);
    await assert.rejects(runActivity(world, 'preflightLeaf', { target: 'worker' }).result, refusal);
  });

  it('refuses what the inspection of a target refuses', async () => {
    world.target.before = (verb) => {
      if (verb === 'inspect') throw new RotationError('WorkloadUnhealthy', 'planted.');
    };
    await assert.rejects(preflight(), { type: 'WorkloadUnhealthy' });
  });

  describe('safety 33: a rollout that leaves a gap is refused on a workload that polls the task queue of the rotation itself', () => {
    const own = [{ namespace: booking, name: 'cert-rotation' }];
    const withGap = async (target: object): Promise<void> => {
      world = await aWorld({ target });
      world.target.gap = 'Deployment worker is scaled to 0 and back';
    };

    it('when the configuration says so, for a CA and for a leaf', async () => {
      await withGap({ rollout: 'scale', taskQueues: own });
      const message = /polls the task queue cert-rotation of the rotation itself, and Deployment worker is scaled to 0/;
      const refusal = { type: 'WouldLockOut', message };
      await assert.rejects(preflight(), refusal);
      await assert.rejects(runActivity(world, 'preflightLeaf', { target: 'worker' }).result, refusal);
    });

    it('when its pods are seen to', async () => {
      await withGap({ rollout: 'scale' });
      const seen = [{ identity: 'cert-rotation/worker-1/7', lastAccessTime: new Date().toISOString() }];
      Object.assign(world.deps, {
        pollers: async ({ name }: { name: string }) => (name === 'cert-rotation' ? seen : []),
      });
      await assert.rejects(preflight(), { type: 'WouldLockOut' });
    });

    it('and allowed elsewhere; one without a gap is allowed everywhere', async () => {
      await withGap({ rollout: 'scale' });
      Object.assign(world.deps, { pollers: async () => [] });
      await preflight();
      world = await aWorld({ target: { rollout: 'rolling', taskQueues: own } });
      await preflight();
    });
  });
});
