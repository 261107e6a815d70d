import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { restoreTrust } from '../../src/cloud/restore-trust.js';
import { parseSavedTrust } from '../../src/domain/saved-trust.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa } from '../support/certificates.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 15: restoring by hand adds and takes nothing away', () => {
  let world: World;
  let other: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    other = await aCa();
  });

  const restore = (saved: { bundle?: KeyPair[]; filters?: { commonName: string }[] }) =>
    restoreTrust(
      world.cloud,
      {
        namespace: booking,
        bundle: (saved.bundle ?? []).map(({ certificate }) => certificate),
        filters: saved.filters ?? [],
      },
      new Date(),
      { generation: 'break-glass' },
    );
  const trusting = (...cas: KeyPair[]) =>
    world.cloud.namespaces.set(booking, {
      ...world.cloud.namespaces.get(booking)!,
      bundle: cas.map(({ certificate }) => certificate),
    });
  const names = (...cas: KeyPair[]) => cas.map(({ certificate }) => certificate.fingerprint);
  const filtered = (...commonNames: string[]) => commonNames.map((commonName) => ({ commonName }));

  it('a CA that was removed comes back beside those that are trusted now', async () => {
    trusting(other);
    await restore({ bundle: [world.old] });
    assert.deepEqual(world.bundle(), names(other, world.old));
  });

  it('an expired one leaves in the same write, because the server would refuse it', async () => {
    const expired = await aCa({ now: new Date(Date.now() - 86_400_000), lifetimeMs: 3_600_000 });
    trusting(expired, other);
    await restore({ bundle: [world.old] });
    assert.deepEqual(world.bundle(), names(other, world.old));
  });

  it('whoever a filter admits now is admitted afterwards, and so is whoever it admitted then', async () => {
    world.cloud.namespaces.set(booking, { ...world.cloud.namespaces.get(booking)!, filters: filtered('now') });
    await restore({ filters: filtered('then', 'NOW') });
    assert.deepEqual(world.filters(), filtered('now', 'then'));
    await restore({ filters: [] });
    assert.deepEqual(world.filters(), []);
    await restore({ filters: filtered('then') });
    assert.deepEqual(world.filters(), [], 'no filter at all admits everybody: that stays');
  });

  it('twice is as once', async () => {
    trusting(other);
    await restore({ bundle: [world.old] });
    assert.equal((await restore({ bundle: [world.old] })).changed, false);
  });

  it('what is no saved trust is refused with what it lacks', () => {
    const saved = { version: 1, kind: 'savedTrust', at: '2026-11-24T10:00:00.000Z', namespaces: [] };
    assert.deepEqual(parseSavedTrust(JSON.stringify(saved)), saved);
    const bad: [unknown, RegExp][] = [
      ['nonsense', /was not written by/],
      [{}, /was not written by/],
      [{ ...saved, version: 2 }, /has version 2/],
      [{ ...saved, namespaces: [{ namespace: 'one' }] }, /is not complete/],
    ];
    for (const [value, problem] of bad) assert.match(parseSavedTrust(JSON.stringify(value)) as string, problem);
    assert.match(parseSavedTrust('{') as string, /is no JSON/);
  });
});
