import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { changedFacts } from '../../src/domain/evidence.js';
import { RotationError, type FailureType } from '../../src/domain/failures.js';
import { presentedQueue, reportIdentity } from '../../src/domain/reports.js';
import type { CertificateFilter } from '../../src/domain/filters.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { aWorld, booking, type World } from '../support/fakes.js';

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

  it('safety 2: names a namespace that does not trust the new CA any more, whatever still polls', async () => {
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [world.old.certificate] });
    const { complete, missing } = await gather();
    assert.equal(complete, false);
    assert.match(missing.join(), /^booking\.acct: it does not trust CA \w{8} any more$/);
  });

  it('safety 11: names the target whose leaf filters refuse that somebody put there, whatever still polls', async () => {
    world.cloud.namespaces.set(booking, {
      ...world.cloud.namespaces.get(booking)!,
      filters: [{ commonName: 'somebody-else' }],
    });
    const { complete, missing } = await gather();
    assert.deepEqual([complete, missing], [false, ['booking.acct: its filters refuse the leaf of worker']]);
  });

  describe('safety 14: a process that reports which leaf it presents', () => {
    const reports = (process: string, value: string) => {
      world.strangers.push(seen(reportIdentity({ process, value }), 50));
    };
    const pollersOf = (queue: string) => {
      const { pollers } = world.deps;
      Object.assign(world.deps, {
        pollers: async (asked: { name: string }) =>
          (await pollers(asked as never)).filter(
            ({ identity }) => (asked.name === queue) === / reports /.test(identity),
          ),
      });
    };
    beforeEach(() => pollersOf(presentedQueue));

    it('and is in no pod of a target is named, when no target has that leaf: it may have no worker to be seen by', async () => {
      reports('1@backend@c0ffee', 'a'.repeat(64));
      const { unknownPollers, facts } = await gather();
      assert.match(
        unknownPollers.join(),
        /^1@backend@c0ffee \(cert-rotation\.presented in booking\.acct\), last polled /,
      );
      assert.ok(!facts.join().includes('a'.repeat(64)), 'a renewal would void the approval');
    });

    it('is none to name where it presents the leaf of a target, or is in one of its pods, which are looked at', async () => {
      reports('1@backend@c0ffee', world.target.pair!.certificate.fingerprint);
      reports('1@worker-10@c0ffee', 'a'.repeat(64));
      assert.deepEqual((await gather()).unknownPollers, []);
    });

    it('is none to name where it is the rotation worker, unless its leaf is of the CA that is to go', async () => {
      const own = async (of: KeyPair) => {
        const { certificate } = await world.leafOf(of);
        Object.assign(world.deps, { ownCertificate: async () => certificate });
        world.strangers.length = 0;
        reports('1@rotation@c0ffee', certificate.fingerprint);
        return (await gather()).unknownPollers.length;
      };
      assert.deepEqual([await own((await aWorld()).old), await own(world.old)], [0, 1]);
    });
  });

  it('names the pod that is not on the new leaf', async () => {
    world.target.pods[1]!.leaf = 'another';
    const { complete, missing } = await gather();
    assert.deepEqual([complete, missing], [false, ['worker worker-10: has another leaf']]);
  });

  describe('safety 39: a target that cannot be looked at is missing evidence, named with the reason, and ends nothing', () => {
    const failsWith = (type: FailureType, times = Infinity) => {
      let left = times;
      world.target.before = (verb) => {
        if (verb === 'inspect' && (left -= 1) >= 0) throw new RotationError(type, 'GET /secrets/worker-tls: planted.');
      };
    };

    for (const type of ['KubernetesForbidden', 'SecretUnusable', 'NoConsumer', 'KubernetesUnavailable'] as const)
      it(type, async () => {
        failsWith(type);
        const { complete, missing, facts } = await gather();
        assert.equal(complete, false);
        assert.deepEqual(missing, ['worker: could not be looked at: GET /secrets/worker-tls: planted']);
        assert.ok(!facts.some((line) => line.startsWith('target worker')), 'what was not seen is no fact');
      });

    it('but not where it can be after a moment', async () => {
      failsWith('KubernetesUnavailable', 1);
      assert.equal((await gather()).complete, true);
    });
  });

  it('a poller that belongs to nobody known shows, though the clock is four minutes ahead', async () => {
    world.clusterOffsetMs = -4 * 60_000;
    // The soak is shorter here than the second that the API server's clock tells: it is about to end.
    world.frozenAt = 1000 * Math.ceil(Date.now() / 1000) - 1;
    world.strangers.push(seen('1@laptop', 4 * 60_000 + 50));
    assert.match((await gather()).unknownPollers.join(), /^1@laptop \(booking\), /);
  });

  it('safety 13: names clients that do not poll and belong to nobody known; no approval is bound to a sample', async () => {
    const { digest } = await gather();
    const starts = (identity: string) => ({ identity, namespace: booking, does: 'starts workflows' });
    world.clients = [starts('1@worker-10'), starts('8@web-6f7c9d8b4-kq5zw')];
    const found = await gather();
    assert.deepEqual(found.unknownClients, [{ name: 'web', namespace: booking, does: ['starts workflows'] }]);
    assert.equal(found.digest, digest);
  });

  it('safety 13: those that the configuration declares are not in doubt', async () => {
    world.clients = [{ identity: '8@web', namespace: booking, does: 'starts workflows' }];
    const { booking: authority } = world.config.authorities;
    authority!.clients = [
      { name: 'web', identities: ['web'], attestedBy: 'ann', attestedOn: '2026-11-20', because: 'x' },
    ];
    assert.deepEqual((await gather()).unknownClients, []);
  });

  it('safety 34: waits for rotation workers that use another configuration, and names those that stay with it', async () => {
    const report = (value: string) => seen(reportIdentity({ process: '7@rotation-2', value }), 0);
    world.strangers.push(report('older'));
    const gathering = runActivity(world, 'gatherEvidence', { authority: 'booking', ca: next.certificate.fingerprint });
    await gathering.reaches(/rotation worker 7@rotation-2 uses configuration older, not digest/);
    world.strangers.splice(0, world.strangers.length, report(world.deps.configDigest));
    assert.equal((await gathering.result).complete, true);
    world.strangers.splice(0, world.strangers.length, report('older'));
    const { complete, missing } = await gather();
    assert.equal(complete, false);
    assert.deepEqual(missing, ['rotation worker 7@rotation-2 uses configuration older, not digest']);
  });

  describe('safety 40: the digest', () => {
    it('is the same whatever order things are read in, and for a leaf that was renewed under the new CA', async () => {
      const { digest } = await gather();
      world.target.pair = await world.leafOf(next);
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      const trust = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle].reverse() });
      world.clockOffsetMs += 60_000;
      assert.equal((await gather()).digest, digest);
    });

    const changes: [string, () => void | Promise<void>][] = [
      ['a CA', async () => trusting((await aWorld()).old.certificate)],
      ['a filter', () => filtered({ commonName: 'worker' })],
      ['the CA of a leaf', async () => void (world.target.pair = await world.leafOf(world.old))],
      ['an unknown poller', () => void world.strangers.push(seen('1@laptop', 100))],
      ['the configuration', () => void Object.assign(world.deps, { configDigest: 'another' })],
    ];
    for (const [what, change] of changes) {
      it(`is another one for ${what}, and the facts show it`, async () => {
        const before = await gather();
        await change();
        const after = await gather();
        assert.notEqual(after.digest, before.digest);
        assert.ok(changedFacts(before.facts, after.facts).some((line) => line.startsWith('new: ')));
      });
    }

    function trusting(ca: CertificateFacts): void {
      const trust = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, ca] });
    }
    function filtered(filter: CertificateFilter): void {
      world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, filters: [filter] });
    }
  });

  describe('a namespace whose bundle somebody else put back', () => {
    function putBack(): void {
      const trust = world.cloud.namespaces.get(booking)!;
      const bundle = trust.bundle.filter(({ fingerprint }) => fingerprint !== next.certificate.fingerprint);
      world.cloud.namespaces.set(booking, { ...trust, bundle });
    }

    it('shows while people are asked', async () => {
      const { facts } = await gather();
      const look = () => runActivity(world, 'compareTrust', { authority: 'booking', facts }).result;
      assert.deepEqual(await look(), { changes: [] });
      putBack();
      const { fingerprint } = next.certificate;
      assert.deepEqual(await look(), { changes: [`no longer: namespace ${booking} trusts CA ${fingerprint}`] });
    });
  });

  describe('pollers of no known target', () => {
    it('are those that polled during the soak and belong to no pod', async () => {
      world.strangers.push(seen('1@laptop', 100));
      assert.match((await gather()).unknownPollers.join(), /^1@laptop \(booking\), /);
    });

    it('are named with when they polled last, which an approval is not bound to', async () => {
      const [earlier, later] = [seen('1@laptop', 200), seen('1@laptop', 100)];
      world.strangers.push(later, earlier);
      const { unknownPollers, digest } = await gather();
      assert.deepEqual(unknownPollers, [`1@laptop (booking), last polled ${later.lastAccessTime}`]);
      world.strangers.splice(0, 2, earlier);
      assert.equal((await gather()).digest, digest);
    });

    it('are not those that ended before the soak began', async () => {
      world.strangers.push(seen('1@worker-0-of-yesterday', 500));
      assert.deepEqual((await gather()).unknownPollers, []);
    });

    it('are those since every target had moved, where that is known, however long or short a soak is', async () => {
      world.strangers.push(seen('1@laptop', 5000), seen('1@worker-0-of-yesterday', 7000));
      const quietSince = new Date(world.frozenAt! - 6000).toISOString();
      const request = { authority: 'booking', ca: next.certificate.fingerprint, quietSince };
      const { unknownPollers } = await runActivity(world, 'gatherEvidence', request).result;
      assert.match(unknownPollers.join(), /^1@laptop \(booking\), [^,]*$/);
    });

    it('are those of every task queue of a target', async () => {
      const { worker } = world.config.targets;
      worker!.taskQueues = [...worker!.taskQueues, { namespace: booking, name: 'reports' }];
      const pollers = world.deps.pollers.bind(world.deps);
      const stranger = seen('1@laptop', 100);
      world.deps.pollers = async (queue) => [
        ...(await pollers(queue)),
        ...(queue.name === 'reports' ? [stranger] : []),
      ];
      const last = `last polled ${stranger.lastAccessTime}`;
      assert.deepEqual((await gather()).unknownPollers, [`1@laptop (reports), ${last}`]);
    });

    it('are not hidden by a pod whose name theirs begins with', async () => {
      world.target.pods.pop();
      world.strangers.push(seen('1@worker-10', 100));
      assert.match((await gather()).unknownPollers.join(), /^1@worker-10 \(booking\), /);
    });
  });
});
