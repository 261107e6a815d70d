import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';
import {
  automatic,
  evidence,
  failing,
  fakeActivities,
  gate,
  plan,
  untilCancelled,
  type FakeActivities,
} from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

const day = 86_400_000;
const ann = { who: 'ann', why: 'she knows' };

describe('safety 39: what fails in a CA rotation waits for a person', () => {
  let tests: WorkflowTests;
  let count = 0;
  let fakes: FakeActivities;
  let handle: WorkflowHandle;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  async function start(overrides: Partial<Activities> = {}, planned: Partial<CaPlan> = {}): Promise<void> {
    const authority = `authority-${(count += 1)}`;
    const resolveCaRotation = async () => plan(authority, { approval: automatic, ...planned });
    fakes = fakeActivities({ resolveCaRotation, ...overrides });
    tests.use(fakes);
    handle = await tests.start('caRotation', caRotationId(authority), { authority });
  }

  const status = () => handle.query<RotationStatus>('status');
  const result = () => handle.result() as Promise<CaRotationResult>;
  /** Whatever the policy: after what went wrong a person is asked, who is told of it and approves. */
  async function rotatedOnceAsked(doubt: RegExp): Promise<CaRotationResult> {
    const { problems } = await tests.reach(handle, 'approve');
    assert.match(problems.join(), new RegExp(`In doubt, so a person is asked: .*${doubt.source}`));
    await handle.signal('approveCaRemoval', { ...ann, evidence: evidence().digest });
    const ended = await result();
    assert.equal(ended.outcome, 'rotated');
    return ended;
  }
  const intervene = (sent: object) =>
    handle.executeUpdate<{ undoes: string[] }, [object]>('intervene', { args: [{ ...ann, ...sent }] });
  const refusal = async (sent: object) => rootOf(await intervene(sent).catch((error: unknown) => error)).message;
  const waitsForAPerson = () =>
    tests.eventually(async () => {
      const seen = await status();
      return seen.waitingFor.startsWith('a person, because of') && seen;
    });
  const namesAfter = (name: keyof Activities) => fakes.names().slice(fakes.names().lastIndexOf(name) + 1);
  /** Fails for the targets that are bad. */
  const rollOutBut =
    (bad: Set<string>) =>
    ({ target }: { target: string }) =>
      bad.has(target) ? failing('RolloutFailed')() : Promise.resolve();

  describe('a target', () => {
    const planned = { canaries: ['canary'], others: ['good', 'bad'] };

    it('that is tried again goes on; the others are not kept from moving', async () => {
      const bad = new Set(['bad']);
      await start({ rollOut: rollOutBut(bad) }, planned);
      const { problems, next } = await waitsForAPerson();
      assert.match(problems.join(), /bad was not moved: planted RolloutFailed/);
      assert.match(next, /cert-rotation retry authority-\d+ --who <you> \| skip authority-\d+ bad .*\| abort/);
      await tests.eventually(async () => (await status()).proved.some((line) => line.startsWith('good is on leaf')));
      bad.clear();
      await handle.signal('retryTarget', { ...ann, target: 'bad' });
      const { leaves } = await rotatedOnceAsked(/bad was not moved at first: planted RolloutFailed/);
      assert.equal(leaves.length, 3);
    });

    it('that is skipped blocks the removal: both CAs stay trusted, and it is said who skipped it, and why', async () => {
      await start({ rollOut: rollOutBut(new Set(['bad'])) }, planned);
      await waitsForAPerson();
      await intervene({ action: 'skip', target: 'bad' });
      const { outcome, reason, leaves } = await result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /Nothing is removed.*bad: Skipped by ann \(claimed\): she knows.*start the rotation again/);
      assert.equal(leaves.find(({ target }) => target === 'bad')?.outcome, 'notMoved');
      for (const never of ['gatherEvidence', 'markRetiring', 'removeCa'] as const)
        assert.ok(!fakes.names().includes(never), never);
    });

    it('that is a canary is not skipped: the pointer stays until it moved', async () => {
      const bad = new Set(['canary']);
      await start({ rollOut: rollOutBut(bad) }, planned);
      await waitsForAPerson();
      assert.match(await refusal({ action: 'skip', target: 'canary' }), /canary is a canary/);
      assert.ok(!fakes.names().includes('moveSigner'));
      bad.clear();
      await intervene({ action: 'retry' });
      await rotatedOnceAsked(/canary was not moved at first/);
    });

    it('that nobody decides on ends the rotation after its deadline, with both CAs trusted', async () => {
      const notifiers = [{ notifier: 'ops', events: ['decisionWanted'] }] as const;
      const approval = { mode: 'automatic', deadlineMs: 2 * day, remindEveryMs: day } as const;
      await start({ rollOut: rollOutBut(new Set(['bad'])) }, { ...planned, approval, notifiers });
      const error = await tests.failureOf(handle);
      assert.equal(typeOf(error), 'RolloutFailed');
      assert.match(rootOf(error).message, /bad was not moved; both CAs stay trusted/);
      assert.equal(fakes.names().filter((name) => name === 'notify').length, 2, 'told at first, and once again');
    });
  });

  describe('a new CA that somebody else took out is added and proved again, without a person, who is told', () => {
    const notifiers = [{ notifier: 'ops', events: ['decisionWanted'] }] as const;
    const missing = ['booking.acct: it does not trust CA new-ca any more'];
    const again = /booking\.acct: somebody else took out CA new-ca; it was added again/;
    let isTrusted: boolean;
    const trustCa = async () => {
      if (isTrusted) return {};
      isTrusted = true;
      return { operationId: 'operation' };
    };
    const gatherEvidence = async () => evidence(isTrusted ? {} : { complete: false, missing });
    const titles = () =>
      fakes.calls.flatMap(({ name, input }) =>
        name === 'notify' ? [(input['notification'] as { title: string }).title] : [],
      );
    const steps = (after: keyof Activities, ...of: readonly string[]) =>
      namesAfter(after).filter((name) => of.includes(name));

    it('before the removal, which is approved anew by a person', async () => {
      isTrusted = false;
      const removeCa = async () => {
        if (fakes.names().filter((name) => name === 'removeCa').length > 1) return { lines: [] };
        isTrusted = false;
        return failing('NewCaNotTrusted')();
      };
      await start({ removeCa, trustCa, gatherEvidence }, { notifiers });
      const { problems } = await tests.reach(handle, 'approve');
      assert.match(problems.join(), /The approval of policy is void\. planted NewCaNotTrusted/);
      assert.match(problems.join(), again);
      assert.deepEqual(steps('keepBothCas', 'trustCa', 'proveTrust', 'gatherEvidence'), [
        'trustCa',
        'proveTrust',
        'gatherEvidence',
      ]);
      await tests.eventually(async () =>
        titles().some((title) => /somebody else changed what a namespace admits/.test(title)),
      );
      await handle.signal('approveCaRemoval', { ...ann, evidence: evidence().digest });
      assert.equal((await result()).outcome, 'rotated');
    });

    it('while targets move, which then go on', async () => {
      isTrusted = false;
      let probes = 0;
      const testConnection = async () => {
        if ((probes += 1) === 1) isTrusted = false;
        if (!isTrusted) await failing('ProbeRefused')();
      };
      await start({ trustCa, gatherEvidence, testConnection });
      await rotatedOnceAsked(again);
      assert.equal(probes, 2);
    });

    it('when the evidence names it', async () => {
      isTrusted = false;
      let looks = 0;
      const looking = async () => {
        if ((looks += 1) === 1) isTrusted = false;
        return gatherEvidence();
      };
      await start({ trustCa, gatherEvidence: looking });
      await rotatedOnceAsked(again);
    });

    it('safety 11: and filters that refuse leaves of ours: they admit them again', async () => {
      isTrusted = true;
      let isRefused = true;
      const widening = async () => {
        if (!isRefused) return {};
        isRefused = false;
        return { operationId: 'operation', widened: true as const };
      };
      const filtered = ['booking.acct: its filters refuse the leaf of worker'];
      const looking = async () => evidence(isRefused ? { complete: false, missing: filtered } : {});
      const adding = async ({ again: isAgain }: { again?: true }) => (isAgain ? widening() : {});
      await start({ trustCa: adding, gatherEvidence: looking }, { notifiers });
      await rotatedOnceAsked(/booking\.acct: somebody else changed its filters, which refused leaves of ours/);
    });

    it('but whoever takes it out again and again is for a person to stop; it is added all the same', async () => {
      isTrusted = false;
      let isFought = true;
      const looking = async () => {
        if (isFought) isTrusted = false;
        return gatherEvidence();
      };
      await start({ trustCa, gatherEvidence: looking });
      const { waitingFor } = await waitsForAPerson();
      assert.match(waitingFor, /booking\.acct: it does not trust CA new-ca/);
      assert.ok(isTrusted);
      assert.equal(fakes.names().filter((name) => name === 'gatherEvidence').length, 2);
      isFought = false;
      await intervene({ action: 'retry' });
      await rotatedOnceAsked(/it does not trust CA new-ca/);
    });
  });

  it('evidence that is not complete is gathered again after a retry, every target is moved again, and a person approves', async () => {
    let looks = 0;
    const gatherEvidence = async () =>
      (looks += 1) === 1 ? evidence({ complete: false, missing: ['pod-7'] }) : evidence();
    await start({ gatherEvidence });
    const { waitingFor } = await waitsForAPerson();
    assert.match(waitingFor, /evidence \(Not on the new CA: pod-7\)/);
    await intervene({ action: 'retry' });
    await rotatedOnceAsked(/Not on the new CA: pod-7/);
    assert.equal(fakes.names().filter((name) => name === 'preflightLeaf').length, 2);
  });

  it('evidence that is not complete is skipped: nothing is removed, and it is said who skipped it, and why', async () => {
    const missing = ['worker: could not be looked at: 403'];
    await start({ gatherEvidence: async () => evidence({ complete: false, missing }) });
    const { next } = await waitsForAPerson();
    assert.match(next, /\| skip authority-\d+ evidence --who/);
    await intervene({ action: 'skip', target: 'evidence' });
    const { outcome, reason } = await result();
    assert.equal(outcome, 'keptBoth');
    assert.match(
      reason!,
      /worker: could not be looked at: 403\. Skipped by ann \(claimed\): she knows\. Nothing is removed/,
    );
    assert.ok(!fakes.names().includes('removeCa'));
  });

  it('safety 30: a bad, early or contradictory intervention is shown, and stops nothing', async () => {
    await start({}, { approval: { mode: 'manual', deadlineMs: day, remindEveryMs: day } });
    await tests.reach(handle, 'approve');
    const bad: [string, unknown][] = [
      ['retryTarget', undefined],
      ['retryTarget', 'garbage'],
      ['retryTarget', ann],
      ['skipTarget', { ...ann, target: 7 }],
      ['skipTarget', { ...ann, target: 'worker' }],
      ['abortCaRotation', null],
      ['abortCaRotation', { who: 'ann' }],
    ];
    for (const [signal, payload] of bad) await handle.signal(signal, ...(payload === undefined ? [] : [payload]));
    const { problems, phase } = await status();
    assert.equal(problems.filter((line) => line.startsWith('Ignored "')).length, bad.length);
    assert.equal(phase, 'approve');
    assert.match(await refusal({ action: 'explode' }), /"action" must be/);
    await handle.signal('approveCaRemoval', { ...ann, evidence: evidence().digest });
    assert.equal((await result()).outcome, 'rotated');
  });

  describe('an abort', () => {
    const dropped = ['markRetiring', 'dropCa', 'abandonCa'];

    it('before any target moved: the new CA leaves the namespaces again', async () => {
      const { opened, open } = gate();
      await start({ proveTrust: async () => opened.then(() => ({ line: 'proved' })) });
      await tests.eventually(async () => fakes.names().includes('proveTrust'));
      assert.deepEqual((await intervene({ action: 'abort', dryRun: true })).undoes, [
        'The new CA new-ca leaves booking.acct; its key is destroyed.',
        'Filters that were widened stay as wide.',
      ]);
      await intervene({ action: 'abort' });
      open();
      const { outcome, reason, newFingerprint } = await result();
      assert.deepEqual([outcome, newFingerprint], ['aborted', undefined]);
      assert.match(reason!, /Aborted by ann \(claimed\): she knows\. The new CA new-ca is trusted by nobody/);
      assert.deepEqual(namesAfter('abortFacts'), ['moveSignerBack', 'targetsOnCa', ...dropped]);
      const { input } = fakes.calls.find(({ name }) => name === 'markRetiring')!;
      assert.equal(input['old'], 'new-ca');
    });

    it('before a CA was made: nothing is to be undone', async () => {
      await start({ preflightCa: untilCancelled, abortFacts: async () => ({ trustedBy: [], moved: [] }) });
      await tests.eventually(async () => fakes.names().includes('preflightCa'));
      await handle.signal('abortCaRotation', ann);
      const { outcome, reason } = await result();
      assert.deepEqual([outcome, reason], ['aborted', 'Aborted by ann (claimed): she knows. Nothing was changed.']);
      assert.deepEqual(namesAfter('abortFacts'), ['takeUpNext']);
    });

    it('before a CA was made, when an attempt that died or an earlier run left one: it goes, and who is on it moves back', async () => {
      const cas = { ca: certificateFacts('new-ca'), old: certificateFacts('old-ca') };
      const abortFacts = async () => ({ ...cas, trustedBy: [], moved: ['moved-before'] });
      await start({
        issueCa: untilCancelled,
        abortFacts,
        takeUpNext: async () => cas,
        targetsOnCa: async () => ({ targets: ['moved-before'] }),
      });
      await tests.eventually(async () => fakes.names().includes('issueCa'));
      assert.deepEqual((await intervene({ action: 'abort', dryRun: true })).undoes, [
        'Leaves come from the old CA old-ca again.',
        'Moved back onto it, by ordinary leaf rotations: moved-before.',
        'The new CA new-ca is trusted by nobody, only after that; its key is destroyed.',
        'Filters that were widened stay as wide.',
      ]);
      await intervene({ action: 'abort' });
      assert.match((await result()).reason!, /The new CA new-ca is trusted by nobody any more/);
      const names = namesAfter('takeUpNext');
      assert.deepEqual(names.slice(-3), dropped);
      assert.ok(names.includes('issueLeaf'));
    });

    it('lists and moves back what this run never touched: a target that a schedule renewed under the new CA', async () => {
      const { opened, open } = gate();
      const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
      await start({
        proveTrust: async () => opened.then(() => ({ line: 'proved' })),
        abortFacts: async () => ({ ...facts, moved: ['renewed'] }),
        targetsOnCa: async () => ({ targets: ['renewed'] }),
      });
      await tests.eventually(async () => fakes.names().includes('proveTrust'));
      const { undoes } = await intervene({ action: 'abort' });
      open();
      assert.match(undoes.join(), /Moved back onto it, by ordinary leaf rotations: renewed\./);
      assert.equal((await result()).outcome, 'aborted');
      const issued = fakes.calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['target']);
      assert.deepEqual(issued, ['renewed']);
    });

    it('is refused when it cannot be seen what it would undo; the rotation goes on', async () => {
      const { opened, open } = gate();
      await start({
        proveTrust: async () => opened.then(() => ({ line: 'proved' })),
        abortFacts: failing('KubernetesForbidden'),
      });
      await tests.eventually(async () => fakes.names().includes('proveTrust'));
      assert.match(await refusal({ action: 'abort' }), /planted KubernetesForbidden/);
      await handle.signal('abortCaRotation', ann);
      await tests.eventually(async () =>
        (await status()).problems.some((line) => /^Ignored "abort": planted/.test(line)),
      );
      open();
      assert.equal((await result()).outcome, 'rotated');
    });

    it('after: the pointer goes back, who moved moves back by leaf rotations, and only then the new CA goes', async () => {
      const targetsOnCa = async () => ({ targets: ['canary', 'other'] });
      const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
      const abortFacts = async () => ({ ...facts, moved: ['canary', 'other'] });
      const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day } as const;
      const soakMs = 3 * 3_600_000;
      await start({ targetsOnCa, abortFacts }, { approval, soakMs, canaries: ['canary'], others: ['other'] });
      await tests.env.sleep(soakMs + 60_000);
      await tests.reach(handle, 'approve');
      const { undoes } = await intervene({ action: 'abort' });
      assert.match(undoes.join(), /the old CA old-ca again\.,Moved back onto it.*: canary, other\..*only after that/);
      const began = await tests.env.currentTimeMs();
      assert.equal((await result()).outcome, 'aborted');
      const names = namesAfter('moveSignerBack');
      assert.deepEqual(
        names.filter((name) => ['targetsOnCa', 'issueLeaf', ...dropped].includes(name)),
        ['targetsOnCa', 'issueLeaf', 'issueLeaf', ...dropped],
      );
      const signers = fakes.calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['ca']);
      assert.deepEqual(signers.slice(-2), ['old-ca', 'old-ca']);
      assert.ok((await tests.env.currentTimeMs()) - began >= soakMs, 'connections of the new CA were not waited out');
      assert.ok(!fakes.names().includes('removeCa'));
    });

    it('while a target moves: its leaf rotation is cancelled, and puts back what works', async () => {
      await start({ rollOut: untilCancelled });
      await tests.eventually(async () => fakes.names().includes('rollOut'));
      const { undoes } = await intervene({ action: 'abort' });
      assert.match(undoes.join(), /Cancelled, and put back onto a pair that works: authority-\d+-canary\./);
      assert.equal((await result()).outcome, 'aborted');
      assert.deepEqual(namesAfter('rollOut'), [
        'abortFacts',
        'restoreTarget',
        'moveSignerBack',
        'targetsOnCa',
        ...dropped,
      ]);
    });

    it('that keeps both undoes nothing', async () => {
      await start({ rollOut: failing('RolloutFailed') });
      await waitsForAPerson();
      assert.match((await intervene({ action: 'abort', keepBoth: true })).undoes.join(), /Nothing is undone/);
      const { outcome, reason } = await result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /Aborted by ann \(claimed\): she knows\. Both CAs stay trusted/);
      assert.deepEqual(namesAfter('rollOut'), ['restoreTarget', 'trustCa']);
    });

    it('is refused when the old CA expires within twice the time of a rollout, once targets moved; keep-both is offered', async () => {
      const now = await tests.env.currentTimeMs();
      const old = certificateFacts('old-ca', { notAfter: new Date(now + day).toISOString() });
      const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
      const abortFacts = async () => ({ ...facts, old, moved: ['moved-before'] });
      await start({ abortFacts, rollOut: failing('RolloutFailed') }, { rolloutDeadlineMs: 0.6 * day });
      await waitsForAPerson();
      assert.match(
        await refusal({ action: 'abort' }),
        /expires at .* within twice the time of a rollout; .*--keep-both/,
      );
      await intervene({ action: 'abort', keepBoth: true });
      assert.equal((await result()).outcome, 'keptBoth');
    });

    it('is refused when the record says that the old CA is compromised; keep-both is offered', async () => {
      const facts = await fakeActivities().activities.abortFacts({ authority: '', rotation: '' });
      const abortFacts = async () => ({ ...facts, compromised: true });
      await start({ abortFacts, preflightCa: untilCancelled });
      await tests.eventually(async () => fakes.names().includes('preflightCa'));
      assert.match(await refusal({ action: 'abort' }), /the old CA is compromised.*--keep-both/);
      await intervene({ action: 'abort', keepBoth: true });
      assert.equal((await result()).outcome, 'aborted');
    });

    it('is refused once the removal has begun', async () => {
      const { opened, open } = gate();
      await start({ removeCa: async () => opened.then(() => ({ lines: [] })) });
      await tests.reach(handle, 'remove');
      assert.match(await refusal({ action: 'abort' }), /too late, the removal has begun: cert-rotation undo-removal/);
      open();
      assert.equal((await result()).outcome, 'rotated');
    });

    it('that comes to no end leaves both CAs usable, and fails loudly', async () => {
      await start({ rollOut: failing('RolloutFailed'), dropCa: failing('WouldLockOut') });
      await waitsForAPerson();
      await intervene({ action: 'abort' });
      const error = await tests.failureOf(handle);
      assert.equal(typeOf(error), 'WouldLockOut');
      assert.match(rootOf(error).message, /The abort came to no end/);
      assert.deepEqual(namesAfter('dropCa'), ['keepBothCas']);
    });
  });

  describe('safety 15: undo-removal while the removal is watched', () => {
    const namespaces = ['one', 'two', 'three'];

    it('puts the old CA back into every namespace that it had left, and keeps both', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 2 ? untilCancelled() : { lines: [] });
      await start({ removeCa }, { namespaces });
      await tests.eventually(async () => removals === 2);
      assert.match((await status()).next, /cert-rotation undo-removal authority-\d+ --who/);
      await intervene({ action: 'undoRemoval' });
      const { outcome, reason } = await result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /ann \(claimed\) had the removal undone: she knows\. Both CAs are trusted/);
      assert.deepEqual(namesAfter('removeCa'), ['restoreTrust', 'restoreTrust', 'keepBothCas']);
      const restored = fakes.calls.filter(({ name }) => name === 'restoreTrust').map(({ input }) => input['before']);
      assert.deepEqual(
        restored.map((before) => (before as { namespace: string }).namespace),
        ['one', 'two'],
      );
    });

    it('by signal, too', async () => {
      await start({ removeCa: untilCancelled });
      await tests.reach(handle, 'remove');
      await tests.eventually(async () => fakes.names().includes('removeCa'));
      await handle.signal('undoRemoval', ann);
      assert.equal((await result()).outcome, 'keptBoth');
    });

    it('fails loudly when the old CA could not be put back', async () => {
      await start({ removeCa: untilCancelled, restoreTrust: failing('CloudForbidden') });
      await tests.eventually(async () => fakes.names().includes('removeCa'));
      await intervene({ action: 'undoRemoval' });
      await assert.rejects(handle.result());
      assert.match((await status()).problems.join(), /A person is needed: the old CA could not be put back/);
      assert.ok(!fakes.names().includes('keepBothCas'));
    });

    it('is refused once the removal is void, and does not undo the next one', async () => {
      const { opened, open } = gate();
      let [reads, removals] = [0, 0];
      await start({
        resolveCaRotation: async ({ authority }) => {
          if ((reads += 1) === 3) await opened;
          return plan(authority, { approval: automatic });
        },
        removeCa: async () => ((removals += 1) === 1 ? failing('EvidenceChanged')() : { lines: [] }),
      });
      await tests.eventually(async () => reads === 3);
      const answer = await refusal({ action: 'undoRemoval' });
      open();
      assert.match(answer, /nothing is being removed: .* phase confirm/);
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', { ...ann, evidence: evidence().digest });
      assert.equal((await result()).outcome, 'rotated');
    });

    it('is refused when nothing is being removed', async () => {
      await start({}, { approval: { mode: 'manual', deadlineMs: day, remindEveryMs: day } });
      await tests.reach(handle, 'approve');
      assert.match(await refusal({ action: 'undoRemoval' }), /nothing is being removed: .* phase approve/);
      await handle.signal('rejectCaRemoval', ann);
      await result();
    });
  });
});
