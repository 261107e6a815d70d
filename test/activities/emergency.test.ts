import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Activities } from '../../src/activities/index.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { parseSavedTrust } from '../../src/domain/saved-trust.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificates } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aWorld, booking, type World } from '../support/fakes.js';

const ada = { authority: 'booking', who: 'ada', why: 'it was in a bucket' };

describe('safety 43: a CA whose key leaked', () => {
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
  });

  const run = <Name extends keyof Activities>(name: Name, input: Parameters<Activities[Name]>[0]) =>
    runActivity(world, name, input).result;
  const declare = (leaked: 'current' | 'next' | 'both', more: object = {}) =>
    run('declareCompromised', { ...ada, leaked, ...more });
  const old = () => world.old.certificate.fingerprint;
  const newCa = () => next.certificate.fingerprint;
  const issueCa = () => run('issueCa', { authority: 'booking', rotation: 'run' });

  it('is on record, by whom and why; said again nothing changes', async () => {
    assert.deepEqual((await declare('current')).current, old());
    await declare('current');
    assert.deepEqual(world.record().compromised, [old()]);
    const event = world.audited.find((one) => one.event === 'compromiseDeclared');
    assert.deepEqual([event?.who, event?.identity, event?.why], ['ada', 'claimed', 'it was in a bucket']);
  });

  it('signs only for as long as no other does', async () => {
    await declare('current');
    const issued = await run('issueLeaf', { target: 'worker', rotation: 'daily' });
    assert.equal(issued.issuedBy, old(), 'a leaf that expires meanwhile could not be renewed');
    const { ca } = await issueCa();
    await run('moveSigner', { authority: 'booking', ca: ca.fingerprint });
    await assert.rejects(run('updateTarget', { target: 'worker', rotation: 'daily', entry: issued.entry }), {
      type: 'AuthorityRetiring',
    });
    await assert.rejects(run('moveSignerBack', { authority: 'booking', ca: ca.fingerprint }), {
      type: 'CaCompromised',
    });
  });

  it('a pair that it signed does not go back into a target: a fresh leaf of the new CA does', async () => {
    await declare('current');
    const { ca } = await issueCa();
    await run('trustCa', { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' });
    await run('moveSigner', { authority: 'booking', ca: ca.fingerprint });
    const leaf = await run('issueLeaf', { target: 'worker', rotation: 'leaf', ca: ca.fingerprint });
    await run('updateTarget', { target: 'worker', rotation: 'leaf', entry: leaf.entry });
    const { line } = await run('restoreTarget', { target: 'worker', rotation: 'leaf', rolledOut: true });
    assert.match(line, /could not go back: its CA is compromised\. It has a fresh leaf/);
    assert.notEqual(world.target.pair!.certificate.fingerprint, leaf.certificate.fingerprint);
  });

  describe('during its removal', () => {
    let timePasses: boolean;
    beforeEach(async () => {
      next = await world.moved();
      timePasses = true;
    });

    /** Time stands still but for a tenth of a second with each look around. */
    function remove(what = approvedRemoval(world, next)) {
      world.frozenAt ??= Date.now();
      const removal = runActivity(world, 'removeCa', what);
      removal.onHeartbeat(({ line }) => {
        if (timePasses && /^(watching|waiting)/.test(String(line))) world.frozenAt! += 100;
      });
      return removal;
    }

    it('stays out when somebody falls off', async () => {
      await declare('current');
      timePasses = false;
      const removal = remove();
      await removal.reaches(/^watching/);
      world.target.pods[0]!.ready = false;
      timePasses = true;
      await assert.rejects(removal.result, {
        type: 'NotPutBack',
        nonRetryable: true,
        message: /stays out of booking\.acct: .*worker-1/,
      });
      assert.deepEqual(world.bundle(), [newCa()]);
      assert.equal(world.record().retiring, old());
    });

    it('also when it is declared only while the removal is watched', async () => {
      timePasses = false;
      const removal = remove();
      await removal.reaches(/^watching/);
      await declare('current');
      world.target.pods[0]!.ready = false;
      timePasses = true;
      await assert.rejects(removal.result, { type: 'NotPutBack' });
      assert.deepEqual(world.bundle(), [newCa()]);
    });

    it('but who fell off comes first where the keystore cannot tell', async () => {
      timePasses = false;
      const removal = remove();
      await removal.reaches(/^watching/);
      world.target.pods[0]!.ready = false;
      world.keystore.get = () => Promise.reject(new RotationError('KeystoreUnavailable', 'planted.'));
      timePasses = true;
      await assert.rejects(removal.result, { type: 'RemovalUndone' });
      assert.deepEqual([...world.bundle()].sort(), [old(), newCa()].sort());
    });

    it('is held up by no stranger where whoever declared it locks out unknown pollers', async () => {
      await declare('current');
      const { approval, ...removal } = approvedRemoval(world, next);
      world.beforePollers = () => {
        world.strangers[0] = { identity: '1@attacker', lastAccessTime: world.deps.now().toISOString() };
      };
      const decision = { ...approval.decision, lockOutUnknown: true } as const;
      await remove({ ...removal, approval: { ...approval, decision } }).result;
      assert.deepEqual(world.bundle(), [newCa()]);
    });

    it('never while a leaf in use chains to it', async () => {
      await declare('current');
      const removal = approvedRemoval(world, next);
      world.target.pair = await world.leafOf(world.old);
      await assert.rejects(runActivity(world, 'removeCa', removal).result, { type: 'EvidenceMissing' });
      assert.equal(world.bundle().length, 2);
    });

    it('is removed also right before it expires: it would not be put back anyway', async () => {
      await declare('current');
      world.frozenAt = Date.parse(world.old.certificate.notAfter) - 100;
      world.target.pair = await world.leafOf(next, { now: new Date(world.frozenAt) });
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      await remove().result.catch(() => undefined);
      assert.ok(!world.bundle().includes(old()));
    });

    it('is not among what is kept for a restore by hand', async () => {
      await declare('current');
      await run('rememberTrust', { authority: 'booking', namespace: booking, old: old() });
      const { record } = world.keystore.entries.get(entries.trust('booking', booking))!;
      const saved = parseSavedTrust(JSON.stringify(record));
      assert.ok(typeof saved !== 'string');
      const kept = readCertificates(saved.namespaces[0]!.bundle).map(({ fingerprint }) => fingerprint);
      assert.deepEqual(kept, [newCa()]);
    });

    it('what is exposed is read from namespaces and targets', async () => {
      await declare('current');
      world.target.pair = await world.leafOf(world.old);
      const exposure = () => run('gatherExposure', { authority: 'booking' });
      assert.deepEqual(await exposure(), [{ ca: old(), namespaces: [booking], targets: ['worker'] }]);
      world.target.pair = await world.leafOf(next);
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      await remove().result;
      assert.deepEqual(await exposure(), [{ ca: old(), namespaces: [], targets: [] }]);
    });
  });

  describe('that was to follow the current one', () => {
    beforeEach(async () => {
      next = await world.moved();
      await run('keepBothCas', { authority: 'booking' });
    });

    it('is never promoted: another one is made, and the current one signs until that is trusted', async () => {
      const { next: leaked } = await declare('next');
      assert.equal(leaked, newCa());
      assert.equal((await declare('next', { next: newCa() })).next, newCa(), 'a second attempt forgets which it was');
      assert.equal(world.record().signing, old());
      await assert.rejects(run('finishCa', { authority: 'booking', ca: newCa() }), { type: 'ForeignNextAuthority' });
      const { ca, compromised } = await issueCa();
      assert.notEqual(ca.fingerprint, newCa());
      assert.equal(compromised, undefined);
    });

    it('stays out when the removal of the current one is undone', async () => {
      await declare('next');
      const { ca } = await issueCa();
      await run('trustCa', { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' });
      const before = await run('rememberTrust', { authority: 'booking', namespace: booking, old: old() });
      assert.deepEqual(new Set(before.removing), new Set([old(), newCa()]));
      const trusted = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trusted, bundle: [ca] });
      await run('restoreTrust', { before, rotation: 'run' });
      assert.deepEqual(new Set(world.bundle()), new Set([ca.fingerprint, old()]));
    });

    it('when both leaked, the leaked one signs on until another does; then both go in one removal', async () => {
      await declare('both');
      assert.equal(world.record().signing, newCa());
      const { ca, old: leaving } = await issueCa();
      assert.equal(leaving?.fingerprint, old());
      await run('trustCa', { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' });
      await run('moveSigner', { authority: 'booking', ca: ca.fingerprint });
      const entry = world.keystore.entries.get(entries.ca('booking', ca.fingerprint))!;
      const newer: KeyPair = { certificate: ca, key: entry.key! };
      world.target.pair = await world.leafOf(newer);
      for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
      await run('markRetiring', { authority: 'booking', old: old() });
      const before = await run('rememberTrust', { authority: 'booking', namespace: booking, old: old() });
      assert.deepEqual([...before.removing].sort(), [old(), newCa()].sort());
      world.frozenAt = Date.now();
      const removal = runActivity(world, 'removeCa', { ...approvedRemoval(world, newer), before });
      removal.onHeartbeat(({ line }) => {
        if (/^(watching|waiting)/.test(String(line))) world.frozenAt! += 100;
      });
      await removal.result;
      assert.deepEqual(world.bundle(), [ca.fingerprint]);
      await run('finishCa', { authority: 'booking', ca: ca.fingerprint });
      for (const gone of [old(), newCa()])
        assert.equal(await world.keystore.get(entries.ca('booking', gone)), undefined, 'its key is kept');
      assert.deepEqual(world.record().compromised, [old(), newCa()], 'it could be restored later');
    });

    it('an abort drops it together with the one that was made after it', async () => {
      await declare('next');
      world.target.pair = await world.leafOf(world.old);
      const { ca } = await issueCa();
      const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
      await run('trustCa', step);
      await run('dropCa', step);
      assert.deepEqual(world.bundle(), [old()]);
    });
  });

  for (const type of ['WorkloadUnhealthy', 'WorkloadUnsettled'] as const)
    it(`one target that is not well keeps an urgent preflight from nothing: ${type}`, async () => {
      world.target.before = (verb) => {
        if (verb === 'inspect') throw new RotationError(type, 'planted.');
      };
      await assert.rejects(run('preflightCa', { authority: 'booking' }), { type });
      const { problems } = await run('preflightCa', { authority: 'booking', urgent: true });
      assert.match(problems!.join(), /worker: planted/);
    });
});
