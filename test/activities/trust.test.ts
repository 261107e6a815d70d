import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';

describe('trusting the next CA', () => {
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    next = await world.moved();
    trust({ bundle: [world.old.certificate] });
  });

  const trust = (change: object) => {
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, ...change });
  };
  const step = () => ({ authority: 'booking', namespace: booking, ca: next.certificate.fingerprint });
  const trustCa = () => runActivity(world, 'trustCa', { ...step(), rotation: 'run' }).result;

  it('adds it next to the old one; an expired CA leaves in the same write; run twice, it writes once', async () => {
    const past = new Date(Date.now() - 10 * 86_400_000);
    const expired = await aCa(0, { now: past, lifetimeMs: 86_400_000 });
    trust({ bundle: [expired.certificate, world.old.certificate] });
    assert.equal((await trustCa()).operationId, 'operation');
    assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint, next.certificate.fingerprint]);
    assert.equal((await trustCa()).operationId, undefined);
    assert.equal(world.cloud.writes.length, 1);
  });

  describe('again, because somebody may have changed what was trusted', () => {
    const again = () => runActivity(world, 'trustCa', { ...step(), rotation: 'run', again: true }).result;
    const theirs = [{ commonName: 'somebody-else' }];
    const wanted = [{ commonName: 'worker' }];
    const worldWanting = async (filters?: typeof wanted) => {
      world = await aWorld(filters && { filters });
      next = await world.moved();
    };

    it('safety 11: filters that refuse leaves of ours admit them too, and theirs stay', async () => {
      await worldWanting(wanted);
      trust({ filters: theirs, bundle: [world.old.certificate] });
      assert.equal((await again()).widened, true);
      assert.deepEqual(world.filters(), [...theirs, ...wanted]);
      assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint, next.certificate.fingerprint]);
      assert.deepEqual(await again(), {});
    });

    it('other filters that admit our leaves stay as they are, and so do those that nobody said anything of', async () => {
      await worldWanting(wanted);
      trust({ filters: [{ commonName: 'work*' }] });
      assert.deepEqual(await again(), {});
      await worldWanting();
      trust({ filters: theirs });
      assert.deepEqual(await again(), {});
      assert.deepEqual(world.filters(), theirs);
    });

    it('and not at first: whatever narrows or widens filters has a step of its own', async () => {
      await worldWanting(wanted);
      trust({ filters: theirs, bundle: [world.old.certificate] });
      assert.equal((await trustCa()).widened, undefined);
      assert.deepEqual(world.filters(), theirs);
    });
  });

  it('safety 35: it is proved by several connections in a row, and a refusal in between starts the count anew', async () => {
    await trustCa();
    const answers = ['accepted', 'refused', 'accepted', 'accepted'];
    const asked: string[] = [];
    world.probe.answer = () => {
      asked.push(answers[asked.length] ?? 'accepted');
      return asked.at(-1) === 'refused' ? { outcome: 'refused', layer: 'tls', reason: 'unknown ca' } : undefined;
    };
    const { line } = await runActivity(world, 'proveTrust', step()).result;
    assert.deepEqual(asked, answers);
    assert.match(line, /2 connections in a row on every endpoint/);
  });

  it('trust that cannot be proved is a failure with the reason', async () => {
    await assert.rejects(runActivity(world, 'proveTrust', step()).result, {
      type: 'ProbeRefused',
      message: /refused \(tls\): unknown ca/,
    });
  });
});

describe('safety 11: filters', () => {
  const widen = (world: World) =>
    runActivity(world, 'widenFilters', { authority: 'booking', namespace: booking, rotation: 'run' }).result;
  const worker = [{ commonName: 'worker' }];
  const both = [...worker, { commonName: 'cert-rotation' }];

  async function worldWith(wanted: typeof worker, inPlace: typeof worker): Promise<World> {
    const world = await aWorld({ filters: wanted });
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, filters: inPlace });
    return world;
  }

  it('that admit more are set before the leaves move', async () => {
    const world = await worldWith(both, worker);
    assert.match((await widen(world)).line, /widened; every leaf in use or to come matches/);
    assert.deepEqual(world.filters(), both);
  });

  it('that change without any CA take expired ones out in the same write: one of them makes the server refuse it', async () => {
    const world = await worldWith(both, worker);
    const past = new Date(Date.now() - 10 * 86_400_000);
    const { certificate } = await aCa(0, { now: past, lifetimeMs: 86_400_000 });
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [certificate, ...trust.bundle] });
    await widen(world);
    assert.deepEqual(world.filters(), both);
    assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint]);
  });

  it('that admit less wait for the removal: they refuse people, too', async () => {
    for (const inPlace of [[], both]) {
      const world = await worldWith(worker, inPlace);
      assert.match((await widen(world)).line, /become narrower: they wait for the removal/);
      assert.deepEqual(world.filters(), inPlace);
    }
  });

  it('that are as wanted stay, and so do those that nobody configured', async () => {
    const world = await worldWith(worker, worker);
    assert.match((await widen(world)).line, /stay as they are/);
    const unconfigured = await aWorld();
    assert.match((await widen(unconfigured)).line, /stay as they are/);
    assert.deepEqual([...world.cloud.writes, ...unconfigured.cloud.writes], []);
  });

  it('that would refuse a leaf that came while an operation of somebody else was waited for', async () => {
    const world = await worldWith([...worker, { commonName: 'other' }], worker);
    const pair = world.target.pair!;
    const subject = { ...pair.certificate, commonNames: ['stranger'] };
    world.cloud.whileBusy = () => void (world.target.pair = { ...pair, certificate: subject });
    await assert.rejects(widen(world), { type: 'WouldLockOut', message: /would refuse worker/ });
    assert.deepEqual(world.filters(), worker);
  });

  it('that would refuse a leaf are never set', async () => {
    const world = await worldWith([...worker, { commonName: 'other' }], worker);
    world.target.pair = undefined;
    const strange = await worldWith([{ commonName: 'x' }, { commonName: 'y' }], [{ commonName: 'x' }]);
    await assert.rejects(widen(strange), { type: 'WouldLockOut', message: /would refuse worker/ });
    await widen(world);
  });
});
