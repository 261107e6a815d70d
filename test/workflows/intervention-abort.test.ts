import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { certificateFacts } from '../support/certificate-facts.js';
import { AskedRotation, ann, day, hour } from '../support/asked-rotation.js';
import { automatic, failing, fakeActivities, gate, untilCancelled } from '../support/fake-activities.js';
import { refusalOf, rootOf, typeOf } from '../support/failures.js';

describe('safety 39: an abort', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin({ approval: automatic });
  });
  after(() => rotation?.stop());

  const dropped = ['markRetiring', 'dropCa', 'abandonCa'];

  it('before any target moved: the new CA leaves the namespaces again', async () => {
    const { opened, open } = gate();
    await rotation.start({ proveTrust: async () => opened.then(() => ({ line: 'proved' })) });
    await rotation.tests.eventually(async () => rotation.names().includes('proveTrust'));
    assert.deepEqual((await rotation.intervene('abort', { dryRun: true })).undoes, [
      'The new CA new-ca leaves booking.acct; its key is destroyed.',
      'Filters that were widened stay as wide.',
    ]);
    await rotation.intervene('abort');
    open();
    const { outcome, reason, newFingerprint } = await rotation.result();
    assert.deepEqual([outcome, newFingerprint], ['aborted', undefined]);
    assert.match(reason!, /Aborted by ann \(claimed\): she knows\. The new CA new-ca is trusted by nobody/);
    assert.deepEqual(rotation.namesAfter('abortFacts'), ['moveSignerBack', 'targetsOnCa', ...dropped]);
    const { input } = rotation.fakes.calls.find(({ name }) => name === 'markRetiring')!;
    assert.equal(input['old'], 'new-ca');
  });

  it('before a CA was made: nothing is to be undone', async () => {
    await rotation.start({ preflightCa: untilCancelled, abortFacts: async () => ({ trustedBy: [], moved: [] }) });
    await rotation.tests.eventually(async () => rotation.names().includes('preflightCa'));
    await rotation.handle.signal('abortCaRotation', ann);
    const { outcome, reason } = await rotation.result();
    assert.deepEqual([outcome, reason], ['aborted', 'Aborted by ann (claimed): she knows. Nothing was changed.']);
    assert.deepEqual(rotation.namesAfter('abortFacts'), ['takeUpNext']);
  });

  it('before a CA was made, when an attempt that died or an earlier run left one: it goes, and who is on it moves back', async () => {
    const cas = { ca: certificateFacts('new-ca'), old: certificateFacts('old-ca') };
    const abortFacts = async () => ({ ...cas, trustedBy: [], moved: ['moved-before'] });
    await rotation.start({
      issueCa: untilCancelled,
      abortFacts,
      takeUpNext: async () => cas,
      targetsOnCa: async () => ({ targets: ['moved-before'] }),
    });
    await rotation.tests.eventually(async () => rotation.names().includes('issueCa'));
    assert.deepEqual((await rotation.intervene('abort', { dryRun: true })).undoes, [
      'Leaves come from the old CA old-ca again.',
      'Moved back onto it, by ordinary leaf rotations: moved-before.',
      'The new CA new-ca is trusted by nobody, only after that; its key is destroyed.',
      'Filters that were widened stay as wide.',
    ]);
    await rotation.intervene('abort');
    assert.match((await rotation.result()).reason!, /The new CA new-ca is trusted by nobody any more/);
    const names = rotation.namesAfter('takeUpNext');
    assert.deepEqual(names.slice(-3), dropped);
    assert.ok(names.includes('issueLeaf'));
  });

  it('lists and moves back what this run never touched: a target that a schedule renewed under the new CA', async () => {
    const { opened, open } = gate();
    const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
    await rotation.start({
      proveTrust: async () => opened.then(() => ({ line: 'proved' })),
      abortFacts: async () => ({ ...facts, moved: ['renewed'] }),
      targetsOnCa: async () => ({ targets: ['renewed'] }),
    });
    await rotation.tests.eventually(async () => rotation.names().includes('proveTrust'));
    const { undoes } = await rotation.intervene('abort');
    open();
    assert.match(undoes.join(), /Moved back onto it, by ordinary leaf rotations: renewed\./);
    assert.equal((await rotation.result()).outcome, 'aborted');
    const issued = rotation.fakes.calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['target']);
    assert.deepEqual(issued, ['renewed']);
  });

  it('is refused when it cannot be seen what it would undo; the rotation goes on', async () => {
    const { opened, open } = gate();
    await rotation.start({
      proveTrust: async () => opened.then(() => ({ line: 'proved' })),
      abortFacts: failing('KubernetesForbidden'),
    });
    await rotation.tests.eventually(async () => rotation.names().includes('proveTrust'));
    assert.match(await refusalOf(rotation.intervene('abort')), /planted KubernetesForbidden/);
    await rotation.handle.signal('abortCaRotation', ann);
    await rotation.tests.eventually(async () =>
      (await rotation.status()).problems.some((line) => /^Ignored "abort": planted/.test(line)),
    );
    open();
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('after: the pointer goes back, who moved moves back by leaf rotations, and only then the new CA goes', async () => {
    const targetsOnCa = async () => ({ targets: ['canary', 'other'] });
    const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
    const abortFacts = async () => ({ ...facts, moved: ['canary', 'other'] });
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day } as const;
    const soakMs = 3 * hour;
    await rotation.start({ targetsOnCa, abortFacts }, { approval, soakMs, canaries: ['canary'], others: ['other'] });
    await rotation.tests.env.sleep(soakMs + 60_000);
    await rotation.reach('approve');
    const { undoes } = await rotation.intervene('abort');
    assert.match(undoes.join(), /the old CA old-ca again\.,Moved back onto it.*: canary, other\..*only after that/);
    const began = await rotation.tests.env.currentTimeMs();
    assert.equal((await rotation.result()).outcome, 'aborted');
    const names = rotation.namesAfter('moveSignerBack');
    assert.deepEqual(
      names.filter((name) => ['targetsOnCa', 'issueLeaf', ...dropped].includes(name)),
      ['targetsOnCa', 'issueLeaf', 'issueLeaf', ...dropped],
    );
    const signers = rotation.fakes.calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['ca']);
    assert.deepEqual(signers.slice(-2), ['old-ca', 'old-ca']);
    assert.ok(
      (await rotation.tests.env.currentTimeMs()) - began >= soakMs,
      'connections of the new CA were not waited out',
    );
    assert.ok(!rotation.names().includes('removeCa'));
  });

  it('while a target moves: its leaf rotation is cancelled, and puts back what works', async () => {
    await rotation.start({ rollOut: untilCancelled });
    await rotation.tests.eventually(async () => rotation.names().includes('rollOut'));
    const { undoes } = await rotation.intervene('abort');
    assert.match(undoes.join(), /Cancelled, and put back onto a pair that works: authority-\d+-canary\./);
    assert.equal((await rotation.result()).outcome, 'aborted');
    assert.deepEqual(rotation.namesAfter('rollOut'), [
      'abortFacts',
      'restoreTarget',
      'moveSignerBack',
      'targetsOnCa',
      ...dropped,
    ]);
  });

  it('that keeps both undoes nothing', async () => {
    await rotation.start({ rollOut: failing('RolloutFailed') });
    await rotation.waitsForAPerson();
    assert.match((await rotation.intervene('abort', { keepBoth: true })).undoes.join(), /Nothing is undone/);
    const { outcome, reason } = await rotation.result();
    assert.equal(outcome, 'keptBoth');
    assert.match(reason!, /Aborted by ann \(claimed\): she knows\. Both CAs stay trusted/);
    assert.deepEqual(rotation.namesAfter('rollOut'), ['restoreTarget', 'trustCa']);
  });

  it('is refused when the old CA expires within twice the time of a rollout, once targets moved; keep-both is offered', async () => {
    const now = await rotation.tests.env.currentTimeMs();
    const old = certificateFacts('old-ca', { notAfter: new Date(now + day).toISOString() });
    const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
    const abortFacts = async () => ({ ...facts, old, moved: ['moved-before'] });
    await rotation.start({ abortFacts, rollOut: failing('RolloutFailed') }, { rolloutDeadlineMs: 0.6 * day });
    await rotation.waitsForAPerson();
    assert.match(
      await refusalOf(rotation.intervene('abort')),
      /expires at .* within twice the time of a rollout; .*--keep-both/,
    );
    await rotation.intervene('abort', { keepBoth: true });
    assert.equal((await rotation.result()).outcome, 'keptBoth');
  });

  it('is refused when the record says that the old CA is compromised; keep-both is offered', async () => {
    const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
    const abortFacts = async () => ({ ...facts, compromised: true });
    await rotation.start({ abortFacts, preflightCa: untilCancelled });
    await rotation.tests.eventually(async () => rotation.names().includes('preflightCa'));
    assert.match(await refusalOf(rotation.intervene('abort')), /the old CA is compromised.*--keep-both/);
    await rotation.intervene('abort', { keepBoth: true });
    assert.equal((await rotation.result()).outcome, 'aborted');
  });

  it('is refused once the removal has begun', async () => {
    const { opened, open } = gate();
    await rotation.start({ removeCa: async () => opened.then(() => ({ lines: [] })) });
    await rotation.reach('remove');
    assert.match(
      await refusalOf(rotation.intervene('abort')),
      /too late, the removal has begun: cert-rotation undo-removal/,
    );
    open();
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('that comes to no end leaves both CAs usable, and fails loudly', async () => {
    await rotation.start({ rollOut: failing('RolloutFailed'), dropCa: failing('WouldLockOut') });
    await rotation.waitsForAPerson();
    await rotation.intervene('abort');
    const error = await rotation.failure();
    assert.equal(typeOf(error), 'WouldLockOut');
    assert.match(rootOf(error).message, /The abort came to no end/);
    assert.deepEqual(rotation.namesAfter('dropCa'), ['keepBothCas']);
  });
});
