import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { maxBundleBytes, planBundle, planFilters, refuseFullBundle } from '../../src/domain/bundle.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { aCaUnder } from '../support/chains.js';

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
    planBundle({ current: [old!], add: [], remove: [], now, leavesInUse: [], issuers: new Map(), ...change });

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
    const leavesInUse = [{ name: 'booking-worker', chainsTo: [old!.fingerprint] }];
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

describe('safety 3: a bundle is edited as chains', () => {
  let [root, one, two, other, expired]: CertificateFacts[] = [];
  const issuers = () => new Map([one, two, expired].map((ca) => [ca!.fingerprint, root!.fingerprint]));
  before(async () => {
    const past = { now: new Date(now.getTime() - 10 * 86_400_000), lifetimeMs: 86_400_000 };
    const signer = await aCaUnder(undefined);
    const cas = [
      Promise.resolve(signer),
      aCaUnder(signer),
      aCaUnder(signer),
      aCaUnder(undefined),
      aCaUnder(signer, past),
    ];
    [root, one, two, other, expired] = (await Promise.all(cas)).map((ca) => ca.certificate);
  });
  const remove = (current: readonly CertificateFacts[], ...gone: readonly CertificateFacts[]) =>
    fingerprints(
      planBundle({
        current,
        add: [],
        remove: fingerprints(gone),
        now,
        leavesInUse: [],
        issuers: issuers(),
      }).bundle,
    );

  it('an intermediate goes alone; its root stays for those who are left', () => {
    assert.deepEqual(remove([root!, one!, two!, other!], one!), fingerprints([root!, two!, other!]));
  });

  it('a root goes with the last CA that it issued, or after it', () => {
    assert.deepEqual(remove([root!, one!, other!], one!, root!), fingerprints([other!]));
    assert.deepEqual(remove([root!, other!], root!), fingerprints([other!]));
  });

  it('a root does not go before a CA that it issued: refused, and both are named', () => {
    assert.throws(() => remove([root!, one!, two!, other!], one!, root!), {
      type: 'WouldLockOut',
      message: new RegExp(`${two!.fingerprint.slice(0, 8)}.*${root!.fingerprint.slice(0, 8)}`),
    });
  });

  it('one that has expired does not hold its root back: it goes in the same write', () => {
    assert.deepEqual(remove([root!, expired!, other!], root!), fingerprints([other!]));
  });

  it('an expired root is not dropped from under a CA that is valid: refused', async () => {
    const past = { now: new Date(now.getTime() - 10 * 86_400_000), lifetimeMs: 86_400_000 };
    const gone = await aCaUnder(undefined, past);
    const left = (await aCaUnder(gone)).certificate;
    const change = {
      current: [gone.certificate, left],
      add: [other!],
      remove: [],
      now,
      leavesInUse: [],
      issuers: new Map([[left.fingerprint, gone.certificate.fingerprint]]),
    };
    assert.throws(() => planBundle(change), { type: 'WouldLockOut' });
  });

  it('refuses to remove any CA that a leaf in use chains to, and names the leaf', () => {
    const leavesInUse = [{ name: 'web', chainsTo: fingerprints([one!, root!]) }];
    const change = {
      current: [root!, other!],
      add: [],
      remove: [root!.fingerprint],
      now,
      leavesInUse,
      issuers: issuers(),
    };
    assert.throws(() => planBundle(change), { type: 'WouldLockOut', message: /web/ });
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
