import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { maxBundleBytes, planBundle, planFilters, refuseFullBundle } from '../../src/domain/bundle.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { aCa, aLeaf } from '../support/certificates.js';

const now = new Date();
const fingerprints = (cas: readonly CertificateFacts[]) => cas.map((ca) => ca.fingerprint);

describe('planBundle', () => {
  let [old, next, expired]: CertificateFacts[] = [];
  before(async () => {
    const past = new Date(now.getTime() - 10 * 86_400_000);
    [old, next, expired] = (await Promise.all([aCa(), aCa(), aCa({ now: past, lifetimeMs: 86_400_000 })])).map(
      (ca) => ca.certificate,
    );
  });

  const plan = (change: Partial<Parameters<typeof planBundle>[0]>) =>
    planBundle({ current: [old!], add: [], remove: [], now, leavesInUse: [], ...change });

  it('adds the new CA next to the old one, at the end', () => {
    assert.deepEqual(fingerprints(plan({ add: [next!] }).bundle), fingerprints([old!, next!]));
  });

  it('adding what is there already changes nothing', () => {
    assert.deepEqual(plan({ add: [old!] }), { bundle: [old], added: [], removed: [], droppedExpired: [] });
  });

  it('drops expired CAs in the same write, because one of them makes the server refuse every change', () => {
    const { bundle, droppedExpired } = plan({ current: [expired!, old!], add: [next!] });
    assert.deepEqual([fingerprints(bundle), droppedExpired], [fingerprints([old!, next!]), fingerprints([expired!])]);
  });

  it('refuses to remove the last valid CA, even when an expired one would stay', () => {
    assert.throws(() => plan({ current: [expired!, old!], remove: [old!.fingerprint] }), { type: 'WouldLockOut' });
  });

  it('refuses to remove a CA that a leaf in use was issued by, and names the leaf', () => {
    const leavesInUse = [{ name: 'booking-worker', issuedBy: old!.fingerprint }];
    assert.throws(() => plan({ current: [old!, next!], remove: [old!.fingerprint], leavesInUse }), /booking-worker/);
  });

  it('refuses the seventeenth CA', async () => {
    const full = await Promise.all(Array.from({ length: 16 }, async () => (await aCa()).certificate));
    assert.throws(() => plan({ current: full, add: [next!] }), { type: 'BundleFull' });
  });
});

describe('refuseFullBundle', () => {
  const many = (count: number) => Promise.all(Array.from({ length: count }, async () => (await aCa()).certificate));

  it('wants room for one more CA before one is made', async () => {
    refuseFullBundle(await many(15), now);
    const full = await many(16);
    assert.throws(() => refuseFullBundle(full, now), { type: 'BundleFull', message: /17 CAs/ });
  });

  it('does not count expired CAs, because they leave in the same write', async () => {
    const past = new Date(now.getTime() - 10 * 86_400_000);
    const expired = (await aCa({ now: past, lifetimeMs: 86_400_000 })).certificate;
    refuseFullBundle([...(await many(15)), expired], now);
  });

  it('counts bytes, too: as many as the largest CA takes', async () => {
    const [ca] = await many(1);
    const large = { ...ca!, pem: ca!.pem.padEnd(maxBundleBytes - 1500) };
    assert.throws(() => refuseFullBundle([large], now), { type: 'BundleFull' });
  });
});

describe('planFilters', () => {
  it('refuses filters that a leaf in use does not match, and names it', async () => {
    const { certificate } = await aLeaf(await aCa(), { commonName: 'worker' });
    assert.throws(
      () => planFilters({ wanted: [{ commonName: 'other' }], leaves: [{ name: 'booking-worker', certificate }] }),
      /booking-worker/,
    );
    assert.deepEqual(planFilters({ wanted: [{ commonName: 'WORK*' }], leaves: [{ name: 'w', certificate }] }), [
      { commonName: 'WORK*' },
    ]);
  });
});
