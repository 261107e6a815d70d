import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { AuthorityRecord } from '../../src/domain/authority.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { runActivity } from '../support/activity-run.js';
import { aCa, aWorld, booking, type World } from '../support/fakes.js';

const day = 86_400_000;

describe('issueCa', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const issue = (rotation = 'run') => runActivity(world, 'issueCa', { authority: 'booking', rotation }).result;
  const cas = () => [...world.keystore.entries.keys()].filter((name) => name.startsWith('ca.'));

  /** An earlier rotation left this CA as `next`. */
  async function leaveNext(next: KeyPair, change: Partial<AuthorityRecord> = {}): Promise<void> {
    const { fingerprint } = next.certificate;
    await world.keystore.create(entries.ca('booking', fingerprint), { ...next, owner: 'authority/booking' });
    const entry = (await world.keystore.get(entries.authority('booking')))!;
    const record = { ...world.record(), generation: 2, next: fingerprint, rotation: 'earlier', ...change };
    await world.keystore.update(entry.name, { ...entry, record }, entry.version);
  }

  function trust({ certificate }: KeyPair): void {
    const trusted = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trusted, bundle: [...trusted.bundle, certificate] });
  }

  function loseKey({ certificate }: KeyPair): void {
    const name = entries.ca('booking', certificate.fingerprint);
    const { key: _lost, ...entry } = world.keystore.entries.get(name)!;
    world.keystore.entries.set(name, entry);
  }

  const expired = () => aCa(2, { now: new Date(Date.now() - 20 * day), lifetimeMs: day });

  it('makes the next CA beside the current one, which goes on signing', async () => {
    const { ca, old } = await issue();
    assert.equal(old?.fingerprint, world.old.certificate.fingerprint);
    const { current, next, signing, rotation } = world.record();
    assert.deepEqual(
      { current, next, signing, rotation },
      { current: old?.fingerprint, next: ca.fingerprint, signing: old?.fingerprint, rotation: 'run' },
    );
    assert.ok(world.keystore.entries.get(entries.ca('booking', ca.fingerprint))!.key);
  });

  it('safety 3: says of an imported CA that copies of its key exist', async () => {
    assert.equal((await issue()).warnings, undefined);
    const name = entries.ca('booking', world.old.certificate.fingerprint);
    const entry = world.keystore.entries.get(name)!;
    world.keystore.entries.set(name, { ...entry, record: { importedAt: '2026-01-01T00:00:00.000Z' } });
    assert.match((await issue()).warnings!.join(), /was imported: copies of its key exist/);
  });

  it('run twice, it makes one CA', async () => {
    const [first, second] = [await issue(), await issue()];
    assert.equal(second.ca.fingerprint, first.ca.fingerprint);
    assert.equal(cas().length, 2);
  });

  it('killed between the CA and the record, it takes the CA up that it made', async () => {
    world.keystore.beforeUpdate = () => {
      throw new RotationError('KeystoreUnavailable', 'planted.');
    };
    await assert.rejects(issue(), { type: 'KeystoreUnavailable' });
    world.keystore.beforeUpdate = () => undefined;
    await issue();
    assert.equal(cas().length, 2);
  });

  it('says of a CA that it is taken up, once and always, and of its own that it is not', async () => {
    for (const _attempt of [1, 2]) assert.equal((await issue()).takenUp, undefined);
    for (const _attempt of [1, 2]) assert.equal((await issue('another run')).takenUp, true);
  });

  it('safety 12: a next that is still valid is adopted, and its rotation takes it over', async () => {
    const next = await aCa(2);
    await leaveNext(next);
    assert.equal((await issue('mine')).ca.fingerprint, next.certificate.fingerprint);
    assert.equal(world.record().rotation, 'mine');
  });

  it('safety 12: a next that has expired and that nobody knows is destroyed, and another made', async () => {
    const next = await expired();
    await leaveNext(next);
    const { ca } = await issue();
    assert.notEqual(ca.fingerprint, next.certificate.fingerprint);
    assert.equal(world.record().next, ca.fingerprint);
    assert.ok(!cas().includes(entries.ca('booking', next.certificate.fingerprint)), 'its key is still there');
    assert.equal(world.record().generation, 3, 'its number is not used again');
  });

  it('safety 12: a next that cannot be used but that a bundle knows is refused by name', async () => {
    const next = await aCa(2);
    await leaveNext(next);
    loseKey(next);
    trust(next);
    const name = next.certificate.fingerprint.slice(0, 8);
    await assert.rejects(issue(), {
      type: 'ForeignNextAuthority',
      message: new RegExp(`CA ${name} of booking cannot be used .*the bundle of booking\\.acct`),
    });
    assert.equal(cas().length, 2);
  });

  it('safety 12: a next that cannot be used but that a leaf knows is refused by name', async () => {
    const next = await aCa(2);
    await leaveNext(next);
    world.target.pair = await world.leafOf(next);
    loseKey(next);
    await assert.rejects(issue(), { type: 'ForeignNextAuthority', message: /the leaf of worker/ });
  });

  it('safety 12: a next that signs is not destroyed while it is valid', async () => {
    const next = await aCa(2);
    await leaveNext(next, { signing: next.certificate.fingerprint });
    loseKey(next);
    await assert.rejects(issue(), { type: 'ForeignNextAuthority' });
    assert.equal(cas().length, 2);
  });

  it('safety 42: a next that has expired is no more than in the way, though a bundle has it and it signs', async () => {
    const next = await expired();
    await leaveNext(next, { signing: next.certificate.fingerprint });
    trust(next);
    const { ca } = await issue();
    const { next: made, signing, current } = world.record();
    assert.deepEqual([made, signing], [ca.fingerprint, current]);
    assert.ok(!cas().includes(entries.ca('booking', next.certificate.fingerprint)), 'its key is still there');
  });

  it('safety 42: but a compromised CA does not sign again for it', async () => {
    const next = await expired();
    const compromised = [world.old.certificate.fingerprint];
    await leaveNext(next, { signing: next.certificate.fingerprint, compromised });
    await issue();
    assert.equal(world.record().signing, undefined);
  });
});

describe('finishCa', () => {
  it('destroys the keys of every other CA of the authority, and of no other authority', async () => {
    const world = await aWorld();
    const next = await world.moved();
    const foreign = await aCa(1);
    const foreignEntry = entries.ca('booking.eu', foreign.certificate.fingerprint);
    await world.keystore.create(foreignEntry, { ...foreign, owner: 'authority/booking.eu' });
    const ca = next.certificate.fingerprint;
    for (let run = 0; run < 2; run += 1) await runActivity(world, 'finishCa', { authority: 'booking', ca }).result;
    assert.deepEqual(
      [...world.keystore.entries.keys()].filter((name) => name.startsWith('ca.')).sort(),
      [foreignEntry, entries.ca('booking', ca)].sort(),
    );
    assert.deepEqual(world.record(), { generation: 2, current: ca, signing: ca });
  });
});

describe('markRetiring', () => {
  it('safety 12: waits, heartbeating, until no leaf rotation of the authority is on the way with a leaf', async () => {
    const world = await aWorld();
    await world.moved();
    await runActivity(world, 'keepBothCas', { authority: 'booking' }).result;
    world.running.set('leaf/worker', ['preflightLeaf', 'issueLeaf']);
    const old = world.old.certificate.fingerprint;
    const run = runActivity(world, 'markRetiring', { authority: 'booking', old });
    await run.reaches(/waiting for leaf\/worker to end/);
    assert.equal(world.record().retiring, old, 'it must be marked before it waits');
    world.running.clear();
    await run.result;
  });

  for (const [waiting, steps] of [
    ['that has issued nothing yet', ['preflightLeaf', 'nextWindow']],
    ['whose leaf took too long and is discarded', ['issueLeaf', 'testConnection', 'discardPairs', 'nextWindow']],
  ] as const)
    it(`safety 12: does not wait for one ${waiting} and waits for its window: what it issues later is of the new CA`, async () => {
      const world = await aWorld();
      await world.moved();
      world.running.set('leaf/worker', steps);
      const old = world.old.certificate.fingerprint;
      await runActivity(world, 'markRetiring', { authority: 'booking', old }).result;
      const { issuedBy } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'waiting' }).result;
      assert.equal(issuedBy, world.record().next);
    });
});
