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

describe('safety 38: what a change of the cloud lost, and died, the next attempt has put back and tells', () => {
  const lost = ['The spec of booking.acct lost the fields 16 of NamespaceSpec; they were put back.'];
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
    world.cloud.owed = lost;
  });
  const nothingWritten = () => assert.deepEqual([world.cloud.owed, world.cloud.writes], [[], []]);

  it('where the CA was added', async () => {
    const ca = world.old.certificate.fingerprint;
    const running = runActivity(world, 'trustCa', { authority: 'booking', namespace: booking, ca, rotation: 'run' });
    assert.deepEqual((await running.result).notes, lost);
    assert.deepEqual(running.heartbeats, [{ line: `changing ${booking}` }]);
    nothingWritten();
  });

  it('where filters were widened', async () => {
    const { namespaces } = world.deps.config;
    namespaces[booking] = { ...namespaces[booking], filters: [] };
    const input = { authority: 'booking', namespace: booking, rotation: 'run' };
    const { line, notes } = await runActivity(world, 'widenFilters', input).result;
    assert.deepEqual([line, notes], [`Filters of ${booking} stay as they are`, lost]);
    nothingWritten();
  });

  it('where the CA was removed', async () => {
    const next = await world.moved();
    const removal = approvedRemoval(world, next);
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, bundle: [next.certificate] });
    world.frozenAt = Date.now();
    const running = runActivity(world, 'removeCa', removal);
    running.onHeartbeat(() => (world.frozenAt! += 50));
    assert.deepEqual((await running.result).notes, lost);
    nothingWritten();
  });

  it('where the CA was put back', async () => {
    const { bundle, filters } = world.cloud.namespaces.get(booking)!;
    const before = { namespace: booking, bundle, filters, removing: [world.old.certificate.fingerprint] };
    assert.deepEqual((await runActivity(world, 'restoreTrust', { before, rotation: 'run' }).result).notes, lost);
    nothingWritten();
  });
});
