import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { digestOf } from '../../src/activities/evidence.js';
import type { Removal } from '../../src/activities/removal.js';
import { RotationError, type FailureType } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { parseSavedTrust, type SavedNamespace, type SavedTrust } from '../../src/domain/saved-trust.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificates } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aWorld, booking, type World } from '../support/fakes.js';

/** How a clock of the rotation worker is off, and by how much (milliseconds). */
const clocks = [
  ['behind', -240_000],
  ['ahead', 240_000],
] as const;

describe('removeCa', () => {
  let world: World;
  let next: KeyPair;
  let timePasses: boolean;
  beforeEach(async () => {
    timePasses = true;
    world = await aWorld();
    next = await world.moved();
  });

  const fingerprints = () => [world.old.certificate.fingerprint, next.certificate.fingerprint];

  const removal = (): Removal => approvedRemoval(world, next);

  /** Time stands still but for this: each look around during a watch takes a tenth of a second, while `timePasses`. */
  function remove(heartbeatDetails?: unknown, what = removal()) {
    world.frozenAt ??= Date.now();
    const run = runActivity(world, 'removeCa', what, heartbeatDetails);
    run.onHeartbeat(({ line }) => {
      if (timePasses && /^(watching|waiting)/.test(String(line))) world.frozenAt! += 100;
    });
    return run;
  }

  /** A removal whose watch has begun and does not go on until `timePasses`. */
  async function watching(what = removal()) {
    timePasses = false;
    const run = remove(undefined, what);
    await run.reaches(/^watching/);
    return run;
  }

  function clockIsOff(by: number): void {
    world.clusterOffsetMs = -by;
    // The watch is shorter here than the second that the API server's clock tells: it is about to end.
    world.frozenAt = 1000 * Math.ceil(Date.now() / 1000) - 1;
  }

  const generations = () => world.cloud.writes.map(({ generation }) => generation);
  const unavailable = (type: FailureType) => () => {
    throw new RotationError(type, 'planted.');
  };

  async function assertUndone(result: Promise<unknown>, reason: RegExp): Promise<void> {
    await assert.rejects(result, { type: 'RemovalUndone', nonRetryable: true, message: reason });
    assert.deepEqual([...world.bundle()].sort(), fingerprints().sort());
    assert.equal(world.record().retiring, undefined, 'the old CA may be used again');
  }

  it('takes the old CA out, proves that its leaves are refused, and holds the watch', async () => {
    const { result, heartbeats } = remove();
    const { lines } = await result;
    assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    assert.match(lines.join('\n'), /refuses a leaf of CA \w{8} that it admitted before the removal/);
    assert.match(lines.join('\n'), /Everybody was still there at the end of the watch/);
    const [removed] = heartbeats.filter(({ line }) => line === 'removed');
    assert.ok(removed?.['removedAt']);
    assert.ok(
      heartbeats.slice(heartbeats.indexOf(removed)).every(({ removedAt }) => removedAt),
      'a heartbeat forgets it',
    );
  });

  for (const [how, offBy] of clocks)
    it(`is over in time with a clock that is four minutes ${how}`, async () => {
      clockIsOff(offBy);
      await remove().result;
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });

  it('says so when it could not be proved that leaves of the old CA are refused', async () => {
    const name = entries.ca('booking', world.old.certificate.fingerprint);
    const { key: _lost, ...entry } = world.keystore.entries.get(name)!;
    world.keystore.entries.set(name, entry);
    const { lines } = await remove().result;
    assert.match(lines.join('\n'), /Not proved that leaves of CA \w{8} are refused: its key is not held/);
  });

  describe('safety 12: the last checks are made again inside the removal', () => {
    it('safety 18: a target that went back to the old CA', async () => {
      world.target.pair = await world.leafOf(world.old);
      await assert.rejects(remove().result, { type: 'EvidenceMissing', message: /worker: its Secret does not hold/ });
      assert.deepEqual(generations(), []);
    });

    it('safety 18: a Secret that another controller makes by now', async () => {
      world.target.before = (verb) => {
        if (verb === 'inspect') throw new RotationError('SecretOwned', 'planted.');
      };
      await assert.rejects(remove().result, {
        type: 'EvidenceMissing',
        message: /worker: could not be looked at: planted/,
      });
      assert.deepEqual(generations(), []);
    });

    it('a pod that is on another leaf', async () => {
      world.target.pods[1]!.leaf = 'another';
      await assert.rejects(remove().result, { type: 'EvidenceMissing', message: /worker worker-10: has another leaf/ });
      assert.deepEqual(generations(), []);
    });

    it('a leaf that went back to the old CA while an operation of somebody else was waited for', async () => {
      const stale = await world.leafOf(world.old);
      world.cloud.whileBusy = (generation) => {
        if (generation === 'run/remove') world.target.pair = stale;
      };
      await assert.rejects(remove().result, { type: 'WouldLockOut', message: /worker/ });
      assert.deepEqual(generations(), []);
    });

    it('a target without a pod', async () => {
      world.target.pods.length = 0;
      await assert.rejects(remove().result, { type: 'EvidenceMissing', message: /no pod uses its Secret/ });
      assert.deepEqual(generations(), []);
    });
  });

  describe('safety 40: the removal happens only on the evidence that was approved', () => {
    async function isVoid(change: () => void | Promise<void>, reason: RegExp, what = removal()): Promise<void> {
      await change();
      await assert.rejects(remove(undefined, what).result, { type: 'EvidenceChanged', message: reason });
      assert.ok(!generations().includes('run/remove'), 'it was removed');
      assert.ok(!generations().includes('run/restore'), 'what others changed was overwritten');
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
      const before = removal();
      return isVoid(() => void Object.assign(world.deps, { configDigest: 'another' }), /configuration another/, before);
    });

    it('a stranger that goes on polling, after pods that a renewal replaced had time to fall silent', () =>
      isVoid(() => {
        world.beforePollers = () => {
          world.strangers[0] = { identity: '1@laptop', lastAccessTime: world.deps.now().toISOString() };
        };
      }, /new: poller 1@laptop \(booking\)/));

    it('an approval of other evidence', () => {
      const { approval, ...what } = removal();
      const decision = { ...approval.decision, evidence: 'f'.repeat(64) };
      return isVoid(() => undefined, /for other evidence/, { ...what, approval: { ...approval, decision } });
    });

    it('what somebody changed between the last look and the write is named, and not overwritten', async () => {
      const foreign = (await aWorld()).old.certificate;
      const run = remove();
      run.onHeartbeat(({ line }) => {
        if (/^removing CA/.test(String(line)))
          world.cloud.namespaces.set(booking, { ...trust(), bundle: [...trust().bundle, foreign] });
      });
      const message = new RegExp(
        `Somebody else changed what booking\\.acct trusts meanwhile: new: namespace booking\\.acct trusts CA ${foreign.fingerprint}\\.`,
      );
      await assert.rejects(run.result, { type: 'EvidenceChanged', message });
      assert.deepEqual(generations(), []);
      assert.ok(world.bundle().includes(foreign.fingerprint));
    });

    it('a leaf that was renewed under the new CA, its old pod still listed, voids nothing', async () => {
      const before = removal();
      world.target.pair = await world.leafOf(next);
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      world.frozenAt = Date.now();
      world.strangers.push({ identity: '1@replaced', lastAccessTime: new Date(world.frozenAt).toISOString() });
      await remove(undefined, before).result;
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });

    it('a stranger that was approved and polls no longer voids nothing', async () => {
      world.strangers.push({ identity: '1@laptop', lastAccessTime: new Date(Date.now() - 50).toISOString() });
      const { approval, ...what } = removal();
      const facts = [...approval.facts, 'poller 1@laptop (booking) belongs to no known target'].sort();
      const decision = { ...approval.decision, evidence: digestOf(facts) };
      world.strangers.length = 0;
      await remove(undefined, { ...what, approval: { ...approval, facts, decision } }).result;
      assert.deepEqual(generations(), ['run/remove']);
    });
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
      assert.deepEqual(generations(), []);
    }
    const distrusted = /Nothing was removed: booking\.acct does not trust the new CA \w{8} any more.*retry/;

    it('though it was approved so', async () => {
      revert();
      await isRefused(remove().result, distrusted);
    });

    it('nor when that happens between the last look and the write', async () => {
      const run = remove();
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
      await isRefused(remove().result, /No CA that would be left admits the leaf of worker/, 'WouldLockOut');
    });
  });

  it('safety 41: nothing is removed that expires during the watch, because it could not be put back', async () => {
    world.frozenAt = Date.parse(world.old.certificate.notAfter) - 100;
    await assert.rejects(remove().result, { type: 'OldCaExpiring', message: /Nothing was removed.*expires at/ });
    assert.deepEqual(generations(), []);
  });

  describe('safety 24: nothing is removed by an API key that could not put it back, whatever preflight saw of it', () => {
    it('one that ends before the watch does', async () => {
      const now = (world.frozenAt = Date.now());
      world.cloud.key = { ...world.cloud.key!, keyExpires: new Date(now + 300).toISOString() };
      const message = /Nothing was removed from booking\.acct: the API key of service account rotation ends at/;
      await assert.rejects(remove().result, { type: 'CloudKeyExpires', message, nonRetryable: true });
      assert.deepEqual(generations(), []);
    });

    it('one that may not change the namespace any more', async () => {
      world.cloud.key = { ...world.cloud.key!, permissions: { [booking]: 'read' } };
      await assert.rejects(remove().result, { type: 'CloudForbidden', message: /may only read booking\.acct/ });
      assert.deepEqual(generations(), []);
    });

    it('but a removal that an earlier attempt made is watched all the same', async () => {
      const before = removal();
      await remove().result;
      world.cloud.key = { ...world.cloud.key!, permissions: { [booking]: 'read' } };
      await remove(undefined, before).result;
    });
  });

  describe('when somebody falls off, exactly what was trusted before is trusted again', () => {
    /** Lets `fall` happen once the watch has begun. */
    async function whenWatching(fall: () => void | Promise<void>, reason: RegExp): Promise<void> {
      const run = await watching();
      await fall();
      timePasses = true;
      await assertUndone(run.result, reason);
      assert.deepEqual(generations(), ['run/remove', 'run/restore']);
    }

    it('the namespace refuses a leaf of the new CA', () =>
      whenWatching(() => {
        world.probe.answer = () => ({ outcome: 'refused', layer: 'tls', reason: 'unknown ca' });
      }, /trusted by booking\.acct again: .*refuses a leaf of the new CA: unknown ca/));

    it('a filter refuses a leaf of the new CA', () =>
      whenWatching(() => {
        world.probe.answer = () => ({ outcome: 'refused', layer: 'rpc', reason: 'filtered' });
      }, /refuses a leaf of the new CA: filtered/));

    it('safety 18: somebody puts a leaf of the old CA into a Secret', () =>
      whenWatching(async () => {
        world.target.pair = await world.leafOf(world.old);
      }, /the Secret of worker no longer holds a leaf of the new CA/));

    it('a pod stays away', () =>
      whenWatching(() => {
        world.target.pods[0]!.ready = false;
      }, /worker worker-1: is not ready/));

    it('every pod is gone', () =>
      whenWatching(() => {
        world.target.pods.length = 0;
      }, /worker: no pod uses its Secret/));

    it('a pod no longer polls, though the look that saw the end of the watch began before it', () =>
      whenWatching(() => {
        world.target.pods[1]!.polls = false;
        world.probe.answer = () => {
          world.frozenAt! += 1000;
          return undefined;
        };
      }, /worker worker-10 has not been seen to poll booking lately/));

    it('a pod no longer polls', () =>
      whenWatching(() => {
        world.target.pods[1]!.polls = false;
      }, /worker worker-10 has not been seen to poll booking lately/));

    for (const [how, offBy] of clocks)
      it(`a pod polled before the removal and not since, with a clock that is four minutes ${how}`, () => {
        clockIsOff(offBy);
        return whenWatching(() => {
          world.target.pods[1]!.polls = false;
          const lastAccessTime = new Date(world.deps.now().getTime() - offBy).toISOString();
          world.strangers.push({ identity: '1@worker-10', lastAccessTime });
        }, /worker worker-10 has not been seen to poll booking lately/);
      });

    it('the proof after the removal fails', async () => {
      world.cloud.afterWrite = (generation) => {
        if (generation === 'run/remove') world.probe.answer = () => ({ outcome: 'accepted', remote: '' });
      };
      await assertUndone(remove().result, /A leaf of the removed CA is not refused/);
    });

    it('the write changed more than it should', async () => {
      world.cloud.afterWrite = (generation) => {
        if (generation === 'run/remove') throw new RotationError('CloudSpecChanged', 'planted.');
      };
      await assertUndone(remove().result, /planted/);
    });
  });

  it('safety 11: narrower filters come with the removal, and go with its undo', async () => {
    world = await aWorld({ filters: [{ commonName: 'worker' }] });
    next = await world.moved();
    const run = await watching();
    assert.deepEqual(world.filters(), [{ commonName: 'worker' }]);
    world.target.pods.length = 0;
    timePasses = true;
    await assertUndone(run.result, /no pod uses/);
    assert.deepEqual(world.filters(), []);
  });

  it('a CA that others added meanwhile survives the undo', async () => {
    const foreign = (await aWorld()).old.certificate;
    const run = await watching();
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, foreign] });
    world.target.pods.length = 0;
    timePasses = true;
    await assert.rejects(run.result, { type: 'RemovalUndone' });
    assert.deepEqual([...world.bundle()].sort(), [...fingerprints(), foreign.fingerprint].sort());
  });

  describe('being unable to look is no fall-off', () => {
    it('a pod that is replaced is away for a moment', async () => {
      const run = await watching();
      world.target.pods[0]!.ready = false;
      await run.reaches(/worker-1: is not ready/);
      world.target.pods[0]!.ready = true;
      timePasses = true;
      await run.result;
      assert.deepEqual(generations(), ['run/remove']);
    });

    it('a leaf that is renewed under the new CA meanwhile is its own rotation to prove', async () => {
      const run = await watching();
      world.target.pair = await world.leafOf(next);
      timePasses = true;
      await run.result;
      assert.deepEqual(generations(), ['run/remove']);
    });

    const outages: [string, (world: World) => () => void][] = [
      [
        'Kubernetes does not answer',
        ({ target }) => {
          target.before = unavailable('KubernetesUnavailable');
          return () => (target.before = () => undefined);
        },
      ],
      [
        'the endpoints do not answer',
        ({ probe }) => {
          probe.answer = () => ({ outcome: 'unreachable', reason: 'ECONNREFUSED' });
          return () => (probe.answer = () => undefined);
        },
      ],
      [
        'Temporal does not answer',
        (broken) => {
          broken.beforePollers = () => {
            throw Object.assign(new Error('14 UNAVAILABLE'), { code: 14 });
          };
          return () => (broken.beforePollers = () => undefined);
        },
      ],
    ];
    for (const [outage, begin] of outages) {
      it(`${outage} for a while: it goes on`, async () => {
        const run = await watching();
        const end = begin(world);
        await run.reaches(/; /);
        end();
        timePasses = true;
        await run.result;
        assert.deepEqual(generations(), ['run/remove']);
      });

      it(`${outage} for longer than any connection lasts, at the end of the watch: it is undone, and says so`, async () => {
        const run = await watching();
        begin(world);
        timePasses = true;
        await assertUndone(run.result, /cannot look|does not answer/);
      });
    }
  });

  it('a person who cancels gets the old CA back', async () => {
    const run = await watching();
    run.cancel();
    await assert.rejects(run.result, { name: 'CancelledFailure' });
    assert.deepEqual([...world.bundle()].sort(), fingerprints().sort());
    assert.deepEqual(generations(), ['run/remove', 'run/restore']);
  });

  it('a worker that shuts down undoes nothing: the next attempt goes on with the watch where it was', async () => {
    const run = await watching();
    run.cancel('WORKER_SHUTDOWN');
    await assert.rejects(run.result, { name: 'CancelledFailure', message: 'WORKER_SHUTDOWN' });
    assert.deepEqual(generations(), ['run/remove']);
    const last = run.heartbeats.at(-1)!;
    timePasses = true;
    const again = remove(last);
    await again.result;
    assert.deepEqual(generations(), ['run/remove']);
    assert.ok(
      again.heartbeats.every(({ removedAt }) => removedAt === last['removedAt']),
      'the watch began anew',
    );
  });

  it('an attempt that finds the removal made, and nothing else, watches all the same', async () => {
    const before = removal();
    await remove().result;
    const run = await watching(before);
    world.target.pods.length = 0;
    timePasses = true;
    await assertUndone(run.result, /no pod uses/);
  });

  describe('safety 15: what was trusted before is kept, and can be put back by hand', () => {
    it('it is beside the authority before anything is removed, in place of what the last removal kept', async () => {
      for (let removals = 0; removals < 2; removals += 1) {
        world.cloud.namespaces.set(booking, {
          ...world.cloud.namespaces.get(booking)!,
          filters: [{ commonName: `${removals}` }],
        });
        const old = world.old.certificate.fingerprint;
        const before = await runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old })
          .result;
        assert.deepEqual(before.removing, [old]);
        const kept = world.keystore.entries.get(entries.trust('booking', booking))!;
        assert.equal(kept.key, undefined);
        const saved = parseSavedTrust(JSON.stringify(kept.record)) as SavedTrust;
        const [{ bundle, filters }] = saved.namespaces as [SavedNamespace];
        assert.deepEqual(
          readCertificates(bundle).map(({ fingerprint }) => fingerprint),
          fingerprints(),
        );
        assert.deepEqual(filters, [{ commonName: `${removals}` }]);
      }
    });

    describe('also by the run after one that was terminated in the watch', () => {
      beforeEach(async () => {
        world = await aWorld({ filters: [{ commonName: 'worker' }] });
        next = await world.moved();
      });

      const remember = () => {
        const old = world.old.certificate.fingerprint;
        return runActivity(world, 'rememberTrust', { authority: 'booking', namespace: booking, old }).result;
      };
      /** Its process is gone, and the next run approves and remembers anew. */
      async function terminated(): Promise<Removal> {
        const run = await watching({ ...removal(), before: await remember() });
        run.cancel('WORKER_SHUTDOWN');
        await assert.rejects(run.result);
        assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
        return { ...removal(), before: await remember(), rotation: 'run-2' };
      }

      it('which holds the watch again, and keeps what was before for break-glass', async () => {
        const what = await terminated();
        const { namespaces } = world.keystore.entries.get(entries.trust('booking', booking))!.record as SavedTrust;
        const [{ bundle, filters }] = namespaces as [SavedNamespace];
        const kept = readCertificates(bundle).map(({ fingerprint }) => fingerprint);
        assert.deepEqual([kept, filters], [fingerprints(), []]);
        timePasses = true;
        const { lines } = await remove(undefined, what).result;
        assert.match(lines.join(), /at the end of the watch/);
        assert.deepEqual(generations(), ['run/remove']);
      });

      it('which puts back exactly that when somebody falls off', async () => {
        const run = await watching(await terminated());
        world.target.pods.length = 0;
        timePasses = true;
        await assertUndone(run.result, /no pod uses/);
        assert.deepEqual(world.filters(), []);
        assert.deepEqual(generations(), ['run/remove', 'run-2/restore']);
      });

      it('which puts back exactly that when a person has it undone', async () => {
        const run = await watching(await terminated());
        run.cancel();
        await assert.rejects(run.result, { name: 'CancelledFailure' });
        assert.deepEqual(world.bundle().toSorted(), fingerprints().toSorted());
        assert.deepEqual(world.filters(), []);
      });

      it('but what another removal kept is not taken for it', async () => {
        await remember();
        const entry = (await world.keystore.get(entries.trust('booking', booking)))!;
        const record = { ...(entry.record as SavedTrust), removal: { old: 'another', neighbours: [] } };
        await world.keystore.update(entry.name, { ...entry, record }, entry.version);
        const trust = world.cloud.namespaces.get(booking)!;
        world.cloud.namespaces.set(booking, { ...trust, bundle: [next.certificate] });
        assert.deepEqual((await remember()).removing, []);
      });
    });

    const back = () => {
      const trust = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, world.old.certificate] });
    };

    it('whoever puts the old CA back during the watch has the removal undone', async () => {
      const run = await watching();
      back();
      timePasses = true;
      await assert.rejects(run.result, {
        type: 'RemovalUndone',
        message: /Somebody put CA \w{8} back into booking\.acct/,
      });
      assert.deepEqual([...world.bundle()].sort(), fingerprints().sort());
    });

    it('also when the attempt that watched has died: the next one does not remove it again', async () => {
      const what = removal();
      const run = await watching(what);
      run.cancel('WORKER_SHUTDOWN');
      await assert.rejects(run.result);
      back();
      timePasses = true;
      await assert.rejects(remove(run.heartbeats.at(-1), what).result, { type: 'RemovalUndone' });
      assert.deepEqual([...world.bundle()].sort(), fingerprints().sort());
      assert.deepEqual(generations().filter((generation) => generation === 'run/remove').length, 1);
    });
  });

  describe('the undo does not need what it may have broken', () => {
    it('a removal that Temporal lost sight of is still watched and undone', async () => {
      for (const reason of ['TIMED_OUT', 'NOT_FOUND'] as const) {
        world = await aWorld();
        next = await world.moved();
        const run = await watching();
        run.cancel(reason);
        world.target.pods.length = 0;
        timePasses = true;
        await assertUndone(run.result, /no pod uses/);
      }
    });

    it('it is tried until the cloud answers', async () => {
      let refusals = 0;
      world.cloud.beforeWrite = (generation) => {
        if (generation === 'run/restore' && (refusals += 1) < 2) unavailable('CloudUnavailable')();
      };
      const run = await watching();
      world.target.pods.length = 0;
      timePasses = true;
      await assertUndone(run.result, /no pod uses/);
      assert.equal(refusals, 2);
    });

    it('after an attempt that undid it and could not say so, no other removes again', async () => {
      const run = await watching();
      world.target.pods.length = 0;
      timePasses = true;
      await assert.rejects(run.result);
      const writes = generations();
      await assert.rejects(remove(run.heartbeats.find(({ removedAt }) => removedAt)).result, {
        type: 'RemovalUndone',
        message: /an earlier attempt put it back/,
      });
      assert.deepEqual(generations(), writes);
    });

    it('an attempt that died while it put the old CA back is taken up there', async () => {
      const before = removal();
      const run = await watching();
      run.cancel('WORKER_SHUTDOWN');
      await assert.rejects(run.result);
      const left = { line: 'putting back', removedAt: new Date().toISOString(), undoReason: 'somebody fell off.' };
      await assertUndone(remove(left, before).result, /somebody fell off/);
    });
  });

  describe('safety 41: of several namespaces, each gets back what it trusted before', () => {
    const orders = 'orders.acct';
    let foreign: KeyPair;
    let what: Removal;
    beforeEach(async () => {
      foreign = (await aWorld()).old;
      const { old } = world;
      const before = { filters: [{ commonName: 'orders' }], removing: [old.certificate.fingerprint] };
      what = { ...removal(), earlier: [{ ...before, namespace: orders, bundle: [old.certificate] }] };
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
      assert.deepEqual(inOrders.toSorted(), [...fingerprints(), foreign.certificate.fingerprint].toSorted());
      assert.deepEqual(filters, [{ commonName: 'orders' }]);
      assert.deepEqual(world.bundle().toSorted(), fingerprints().toSorted());
      assert.equal(world.record().retiring, undefined);
    }

    it('when somebody falls off in the second one', async () => {
      const run = await watching(what);
      world.target.pods.length = 0;
      timePasses = true;
      await assert.rejects(run.result, {
        type: 'RemovalUndone',
        message: /trusted by booking\.acct, orders\.acct again/,
      });
      assertBothAreBack();
    });

    it('also by the next attempt, when the process was killed in between', async () => {
      const run = await watching(what);
      const killed = new Promise<void>((resolve) => {
        world.cloud.beforeWrite = (generation, namespace) => {
          if (generation !== 'run/restore' || namespace !== orders) return undefined;
          resolve();
          return new Promise(() => undefined);
        };
      });
      world.target.pods.length = 0;
      timePasses = true;
      await killed;
      assert.deepEqual(world.bundle().toSorted(), fingerprints().toSorted());
      world.cloud.beforeWrite = () => undefined;
      await assert.rejects(remove(run.heartbeats.at(-1), what).result, { type: 'RemovalUndone' });
      assertBothAreBack();
    });

    it('one that cannot be changed keeps no other one from it', async () => {
      const run = await watching(what);
      world.cloud.beforeWrite = (generation, namespace) => {
        if (generation === 'run/restore' && namespace === booking) unavailable('CloudForbidden')();
      };
      world.target.pods.length = 0;
      timePasses = true;
      await assert.rejects(run.result, { type: 'CloudForbidden', nonRetryable: true });
      assert.ok(world.cloud.namespaces.get(orders)!.bundle.some((ca) => ca.fingerprint === fingerprints()[0]));
    });
  });

  it('a failure that a retry may mend undoes nothing', async () => {
    world.cloud.beforeWrite = unavailable('CloudUnavailable');
    await assert.rejects(remove().result, { type: 'CloudUnavailable', nonRetryable: false });
    assert.equal(world.record().retiring, world.old.certificate.fingerprint);
  });
});
