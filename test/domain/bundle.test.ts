import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  maxBundleBytes,
  planBundle,
  planFilters,
  refuseFullBundle,
  type BundleChange,
  type BundlePlan,
} from '../../src/domain/bundle.js';
import { isExpired, isValidAt, type CertificateFacts } from '../../src/domain/certificate.js';
import type { RotationError } from '../../src/domain/failures.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { certificateFacts } from '../support/certificate-facts.js';
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

  it('refuses more than 32 KB, however few CAs they are', () => {
    const large = { ...old!, pem: old!.pem.padEnd(maxBundleBytes - next!.pem.length) };
    assert.equal(plan({ current: [large], add: [next!] }).bundle.length, 2);
    const larger = { ...large, pem: `${large.pem} ` };
    assert.throws(() => plan({ current: [larger], add: [next!] }), { type: 'BundleFull' });
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

describe('whatever the change of a bundle, it is planned or refused, and a plan', () => {
  const names = Array.from({ length: 20 }, (_, index) => `ca-${index}`);
  const days = (count: number) => new Date(now.getTime() + count * 86_400_000).toISOString();
  const validity = fc.constantFrom(
    { notBefore: days(-10), notAfter: days(10) },
    { notBefore: days(-10), notAfter: days(10) },
    { notBefore: days(-10), notAfter: days(-1) },
    { notBefore: days(1), notAfter: days(10) },
  );
  const pem = fc.constantFrom(1000, 1000, 2400).map((length) => 'x'.repeat(length));
  /** One certificate for each name: the same name is the same certificate, wherever it turns up. */
  const cas = fc.array(fc.tuple(validity, pem), { minLength: names.length, maxLength: names.length });
  const some = (maxLength: number) => fc.array(fc.constantFrom(...names), { maxLength });
  const change = fc
    .record({
      cas,
      current: fc.oneof(some(5), some(20)),
      add: some(3),
      remove: some(3),
      users: fc.array(some(2), { maxLength: 3 }),
      issuers: fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), { maxLength: 3 }),
    })
    .map(({ cas: made, current, add, remove, users, issuers }) => {
      const find = (name: string) => {
        const [valid, text] = made[names.indexOf(name)]!;
        return certificateFacts(name, { ...valid, pem: text });
      };
      const leavesInUse = users.map((chainsTo, index) => ({ name: `leaf-${index}`, chainsTo }));
      return {
        current: current.map(find),
        add: add.map(find),
        // What is to come and to go at once is no change that anybody asks for.
        remove: remove.filter((name) => !add.includes(name)),
        now,
        leavesInUse,
        issuers: new Map(issuers.filter(([ca, issuer]) => ca !== issuer)),
      };
    });

  /** What must hold of every plan; refusals of any other kind than these two fail. */
  function always(promise: string, holds: (given: BundleChange, plan: BundlePlan) => void): void {
    it(promise, () => {
      let planned = 0;
      fc.assert(
        fc.property(change, (given) => {
          let plan: BundlePlan;
          try {
            plan = planBundle(given);
          } catch (error) {
            assert.ok(['WouldLockOut', 'BundleFull'].includes((error as RotationError).type), String(error));
            return;
          }
          planned += 1;
          holds(given, plan);
        }),
        { numRuns: 1000 },
      );
      assert.ok(planned > 100, `only ${planned} of the changes were planned`);
    });
  }
  const changes = ({ added, removed }: BundlePlan) => added.length + removed.length > 0;

  always('leaves a valid CA', (_, { bundle }) => assert.ok(bundle.some((ca) => isValidAt(ca, now))));

  always('takes away nothing that a leaf in use chains to', ({ leavesInUse, current }, { bundle, droppedExpired }) => {
    for (const used of leavesInUse.flatMap(({ chainsTo }) => chainsTo))
      if (current.some(({ fingerprint }) => fingerprint === used) && !droppedExpired.includes(used))
        assert.ok(fingerprints(bundle).includes(used), used);
  });

  always('touches nothing of others, but what has expired, and keeps the order', ({ current, remove }, { bundle }) => {
    const theirs = [...new Set(fingerprints(current.filter((ca) => !isExpired(ca, now))))];
    const kept = theirs.filter((ca) => !remove.includes(ca));
    assert.deepEqual(
      fingerprints(bundle).filter((ca) => kept.includes(ca)),
      kept,
    );
  });

  always('holds what is added and nothing that is removed, each once', ({ add, remove }, plan) => {
    const all = fingerprints(plan.bundle);
    assert.equal(new Set(all).size, all.length);
    for (const ca of add) if (!isExpired(ca, now)) assert.ok(all.includes(ca.fingerprint));
    for (const ca of remove) assert.ok(!all.includes(ca));
  });

  always('holds nothing that has expired, where it changes anything', (_, plan) => {
    if (changes(plan)) assert.ok(!plan.bundle.some((ca) => isExpired(ca, now)));
  });

  always('fits into a namespace, where it grows', (_, { bundle, added }) => {
    if (added.length === 0) return;
    assert.ok(bundle.length <= 16);
    assert.ok(bundle.reduce((sum, ca) => sum + ca.pem.length, 0) <= maxBundleBytes);
  });

  always('takes away nobody who issued a CA that stays', ({ current, issuers }, { bundle }) => {
    const gone = fingerprints(current).filter((ca) => !fingerprints(bundle).includes(ca));
    for (const ca of fingerprints(bundle)) assert.ok(!gone.includes(issuers.get(ca) ?? ''), ca);
  });

  always('asked for again, changes nothing', (given, { bundle }) => {
    const again = planBundle({ ...given, current: bundle });
    assert.deepEqual([again.bundle, again.added, again.removed], [bundle, [], []]);
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
