import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { runActivity } from '../support/activity-run.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 38: what a change of the cloud keeps for the next attempt goes through the heartbeat', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
    world.cloud.keep = 'the spec before';
  });

  const inEveryLine = (heartbeats: readonly Record<string, unknown>[]) =>
    heartbeats.filter(({ line }) => String(line).startsWith('changing')).map(({ keep }) => keep);

  it('when a CA is added', async () => {
    const ca = world.old.certificate.fingerprint;
    const input = { authority: 'booking', namespace: booking, ca, rotation: 'run' };
    const first = runActivity(world, 'trustCa', input);
    await first.result;
    await runActivity(world, 'trustCa', input, first.heartbeats.at(-1)).result;
    assert.deepEqual(inEveryLine(first.heartbeats), ['the spec before']);
    assert.deepEqual(world.cloud.kept, [undefined, 'the spec before']);
  });

  it('when filters are widened, also when they are as wanted by now', async () => {
    const input = { authority: 'booking', namespace: booking, rotation: 'run' };
    const { namespaces } = world.deps.config;
    namespaces[booking] = { ...namespaces[booking], filters: [] };
    await runActivity(world, 'widenFilters', input).result;
    await runActivity(world, 'widenFilters', input, { keep: 'the spec before' }).result;
    assert.deepEqual(world.cloud.kept, ['the spec before']);
  });

  it('when a CA is removed: the attempt that finds it gone brings the change to its end', async () => {
    const { bundle, filters } = world.cloud.namespaces.get(booking)!;
    const next = await world.moved();
    const removal = {
      authority: 'booking',
      before: { namespace: booking, bundle, filters },
      ca: next.certificate.fingerprint,
      old: world.old.certificate.fingerprint,
      rotation: 'run',
    };
    world.frozenAt = Date.now();
    const run = async (details?: object) => {
      const running = runActivity(world, 'removeCa', removal, details);
      running.onHeartbeat(() => (world.frozenAt! += 50));
      await running.result;
      return running.heartbeats;
    };
    const heartbeats = await run();
    const dying = heartbeats.find(({ line }) => String(line).startsWith('changing'));
    await run(dying);
    assert.deepEqual(inEveryLine(heartbeats), ['the spec before']);
    assert.deepEqual(world.cloud.kept.slice(-2), [undefined, 'the spec before']);
    assert.equal(heartbeats.at(-1)!['keep'], undefined);
  });
});
