import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { ApprovedRemoval, clocks, unavailable } from '../support/approved-removal.js';
import type { World } from '../support/fakes.js';

describe('removeCa', () => {
  let removal: ApprovedRemoval;
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    removal = await ApprovedRemoval.begin();
    ({ world, next } = removal);
  });

  it('takes the old CA out, proves that its leaves are refused, and holds the watch', async () => {
    const { result, heartbeats } = removal.run();
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
      removal.clockIsOff(offBy);
      await removal.run().result;
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });

  it('says so when it could not be proved that leaves of the old CA are refused', async () => {
    const name = entries.ca('booking', world.old.certificate.fingerprint);
    const { key: _lost, ...entry } = world.keystore.entries.get(name)!;
    world.keystore.entries.set(name, entry);
    const { lines } = await removal.run().result;
    assert.match(lines.join('\n'), /Not proved that leaves of CA \w{8} are refused: its key is not held/);
  });

  describe('being unable to look is no fall-off', () => {
    it('a pod that is replaced is away for a moment', async () => {
      const run = await removal.watching();
      world.target.pods[0]!.ready = false;
      await run.reaches(/worker-1: is not ready/);
      world.target.pods[0]!.ready = true;
      removal.timePasses = true;
      await run.result;
      assert.deepEqual(removal.generations(), ['run/remove']);
    });

    it('a leaf that is renewed under the new CA meanwhile is its own rotation to prove', async () => {
      const run = await removal.watching();
      world.target.pair = await world.leafOf(next);
      removal.timePasses = true;
      await run.result;
      assert.deepEqual(removal.generations(), ['run/remove']);
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
        const run = await removal.watching();
        const end = begin(world);
        await run.reaches(/; /);
        end();
        removal.timePasses = true;
        await run.result;
        assert.deepEqual(removal.generations(), ['run/remove']);
      });

      it(`${outage} for longer than any connection lasts, at the end of the watch: it is undone, and says so`, async () => {
        const run = await removal.watching();
        begin(world);
        removal.timePasses = true;
        await removal.assertUndone(run.result, /cannot look|does not answer/);
      });
    }
  });

  it('a worker that shuts down undoes nothing: the next attempt goes on with the watch where it was', async () => {
    const run = await removal.watching();
    run.cancel('WORKER_SHUTDOWN');
    await assert.rejects(run.result, { name: 'CancelledFailure', message: 'WORKER_SHUTDOWN' });
    assert.deepEqual(removal.generations(), ['run/remove']);
    const last = run.heartbeats.at(-1)!;
    removal.timePasses = true;
    const again = removal.run(last);
    await again.result;
    assert.deepEqual(removal.generations(), ['run/remove']);
    assert.ok(
      again.heartbeats.every(({ removedAt }) => removedAt === last['removedAt']),
      'the watch began anew',
    );
  });

  it('an attempt that finds the removal made, and nothing else, watches all the same', async () => {
    const before = removal.approved();
    await removal.run().result;
    const run = await removal.watching(before);
    world.target.pods.length = 0;
    removal.timePasses = true;
    await removal.assertUndone(run.result, /no pod uses/);
  });
});
