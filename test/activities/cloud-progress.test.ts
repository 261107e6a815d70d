import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';

describe('safety 38: what a change of the cloud lost and restored is handed on to people', () => {
  const note = 'The spec of booking.acct lost the fields 16 of NamespaceSpec; they were put back.';
  let world: World;
  beforeEach(async () => {
    world = await aWorld({ filters: [{ commonName: 'worker' }, { commonName: 'other' }] });
    world.cloud.notes = [note];
  });

  /** Both CAs trusted, and time that passes with each look around during the watch. */
  async function removing() {
    const next = await world.moved();
    world.frozenAt = Date.now();
    const removal = approvedRemoval(world, next);
    return (details?: object) => {
      const running = runActivity(world, 'removeCa', removal, details);
      running.onHeartbeat(() => (world.frozenAt! += 50));
      return running;
    };
  }

  it('by the activity that adds a CA, and by none that changes nothing', async () => {
    const next = await world.moved();
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [world.old.certificate] });
    const input = { authority: 'booking', namespace: booking, ca: next.certificate.fingerprint, rotation: 'run' };
    assert.deepEqual((await runActivity(world, 'trustCa', input).result).notes, [note]);
    assert.equal((await runActivity(world, 'trustCa', input).result).notes, undefined);
  });

  it('by the activity that widens filters', async () => {
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, filters: [{ commonName: 'worker' }] });
    const input = { authority: 'booking', namespace: booking, rotation: 'run' };
    assert.deepEqual((await runActivity(world, 'widenFilters', input).result).notes, [note]);
  });

  it('by the activity that removes a CA, also when another attempt holds the watch', async () => {
    const run = await removing();
    const first = run();
    assert.deepEqual((await first.result).notes, [note]);
    const removed = first.heartbeats.find(({ line }) => line === 'removed');
    assert.deepEqual((await run(removed).result).notes, [note]);
  });

  it('by the failure of a removal that was undone, which is both changes', async () => {
    const run = await removing();
    world.cloud.afterWrite = () => (world.target.pair = undefined);
    const said = new RegExp(`is trusted by booking\\.acct again: .* ${note} ${note}`);
    await assert.rejects(run().result, { type: 'RemovalUndone', message: said });
  });

  it('by the activity that puts a CA back', async () => {
    const { bundle, filters } = world.cloud.namespaces.get(booking)!;
    const next = await aCa(2);
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, bundle: [next.certificate] });
    const before = { namespace: booking, bundle, filters, removing: [world.old.certificate.fingerprint] };
    assert.deepEqual((await runActivity(world, 'restoreTrust', { before, rotation: 'run' }).result).notes, [note]);
  });
});

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
    const removal = approvedRemoval(world, await world.moved());
    world.frozenAt = Date.now();
    const run = async (details?: object) => {
      const running = runActivity(world, 'removeCa', removal, details);
      running.onHeartbeat(() => (world.frozenAt! += 50));
      await running.result;
      return running.heartbeats;
    };
    const heartbeats = await run();
    // Looking whether an operation runs is one, the removal the other.
    const kept = { [booking]: 'the spec before' };
    assert.deepEqual(inEveryLine(heartbeats), [kept, kept]);
    await run(heartbeats.findLast(({ line }) => String(line).startsWith('changing')));
    assert.deepEqual(world.cloud.kept, [undefined, undefined, 'the spec before']);
    assert.equal(heartbeats.at(-1)!['keep'], undefined);
  });
});
