import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Activities } from '../../src/activities/index.js';
import type { CaRotationResult } from '../../src/domain/rotation.js';
import { AskedRotation, ann, day, seen } from '../support/asked-rotation.js';
import { automatic, evidence, failing } from '../support/fake-activities.js';
import { refusalOf, rootOf, typeOf } from '../support/failures.js';

describe('safety 39: what fails in a CA rotation waits for a person', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin({ approval: automatic });
  });
  after(() => rotation?.stop());

  /** Whatever the policy: after what went wrong a person is asked, who is told of it and approves. */
  async function rotatedOnceAsked(doubt: RegExp): Promise<CaRotationResult> {
    const { problems } = await rotation.reach('approve');
    assert.match(problems.join(), new RegExp(`In doubt, so a person is asked: .*${doubt.source}`));
    await rotation.handle.signal('approveCaRemoval', seen);
    const ended = await rotation.result();
    assert.equal(ended.outcome, 'rotated');
    return ended;
  }

  /** Fails for the targets that are bad. */
  const rollOutBut =
    (bad: Set<string>) =>
    ({ target }: { target: string }) =>
      bad.has(target) ? failing('RolloutFailed')() : Promise.resolve();

  describe('a target', () => {
    const planned = { canaries: ['canary'], others: ['good', 'bad'] };

    it('that is tried again goes on; the others are not kept from moving', async () => {
      const bad = new Set(['bad']);
      await rotation.start({ rollOut: rollOutBut(bad) }, planned);
      const { problems, next } = await rotation.waitsForAPerson();
      assert.match(problems.join(), /bad was not moved: planted RolloutFailed/);
      assert.match(next, /cert-rotation retry authority-\d+ --who <you> \| skip authority-\d+ bad .*\| abort/);
      await rotation.tests.eventually(async () =>
        (await rotation.status()).proved.some((line) => line.startsWith('good is on leaf')),
      );
      bad.clear();
      await rotation.handle.signal('retryTarget', { ...ann, target: 'bad' });
      const { leaves } = await rotatedOnceAsked(/bad was not moved at first: planted RolloutFailed/);
      assert.equal(leaves.length, 3);
    });

    it('that is skipped blocks the removal: both CAs stay trusted, and it is said who skipped it, and why', async () => {
      await rotation.start({ rollOut: rollOutBut(new Set(['bad'])) }, planned);
      await rotation.waitsForAPerson();
      await rotation.intervene('skip', { target: 'bad' });
      const { outcome, reason, leaves } = await rotation.result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /Nothing is removed.*bad: Skipped by ann \(claimed\): she knows.*start the rotation again/);
      assert.equal(leaves.find(({ target }) => target === 'bad')?.outcome, 'notMoved');
      for (const never of ['gatherEvidence', 'markRetiring', 'removeCa'] as const)
        assert.ok(!rotation.names().includes(never), never);
    });

    it('that is a canary is not skipped: the pointer stays until it moved', async () => {
      const bad = new Set(['canary']);
      await rotation.start({ rollOut: rollOutBut(bad) }, planned);
      await rotation.waitsForAPerson();
      assert.match(await refusalOf(rotation.intervene('skip', { target: 'canary' })), /canary is a canary/);
      assert.ok(!rotation.names().includes('moveSigner'));
      bad.clear();
      await rotation.intervene('retry');
      await rotatedOnceAsked(/canary was not moved at first/);
    });

    it('that nobody decides on ends the rotation after its deadline, with both CAs trusted', async () => {
      const notifiers = [{ notifier: 'ops', events: ['decisionWanted'] }] as const;
      const approval = { mode: 'automatic', deadlineMs: 2 * day, remindEveryMs: day } as const;
      await rotation.start({ rollOut: rollOutBut(new Set(['bad'])) }, { ...planned, approval, notifiers });
      const error = await rotation.failure();
      assert.equal(typeOf(error), 'RolloutFailed');
      assert.match(rootOf(error).message, /bad was not moved; both CAs stay trusted/);
      assert.equal(rotation.names().filter((name) => name === 'notify').length, 2, 'told at first, and once again');
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
    const steps = (after: keyof Activities, ...of: readonly string[]) =>
      rotation.namesAfter(after).filter((name) => of.includes(name));

    it('before the removal, which is approved anew by a person', async () => {
      isTrusted = false;
      const removeCa = async () => {
        if (rotation.names().filter((name) => name === 'removeCa').length > 1) return { lines: [] };
        isTrusted = false;
        return failing('NewCaNotTrusted')();
      };
      await rotation.start({ removeCa, trustCa, gatherEvidence }, { notifiers });
      const { problems } = await rotation.reach('approve');
      assert.match(problems.join(), /The approval of policy is void\. planted NewCaNotTrusted/);
      assert.match(problems.join(), again);
      assert.deepEqual(steps('keepBothCas', 'trustCa', 'proveTrust', 'gatherEvidence'), [
        'trustCa',
        'proveTrust',
        'gatherEvidence',
      ]);
      await rotation.tests.eventually(async () =>
        rotation.told().some((title) => /somebody else changed what a namespace admits/.test(title)),
      );
      await rotation.handle.signal('approveCaRemoval', seen);
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    it('while targets move, which then go on', async () => {
      isTrusted = false;
      let probes = 0;
      const testConnection = async () => {
        if ((probes += 1) === 1) isTrusted = false;
        if (!isTrusted) await failing('ProbeRefused')();
      };
      await rotation.start({ trustCa, gatherEvidence, testConnection });
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
      await rotation.start({ trustCa, gatherEvidence: looking });
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
      await rotation.start({ trustCa: adding, gatherEvidence: looking }, { notifiers });
      await rotatedOnceAsked(/booking\.acct: somebody else changed its filters, which refused leaves of ours/);
    });

    it('but whoever takes it out again and again is for a person to stop; it is added all the same', async () => {
      isTrusted = false;
      let isFought = true;
      const looking = async () => {
        if (isFought) isTrusted = false;
        return gatherEvidence();
      };
      await rotation.start({ trustCa, gatherEvidence: looking });
      const { waitingFor } = await rotation.waitsForAPerson();
      assert.match(waitingFor, /booking\.acct: it does not trust CA new-ca/);
      assert.ok(isTrusted);
      assert.equal(rotation.names().filter((name) => name === 'gatherEvidence').length, 2);
      isFought = false;
      await rotation.intervene('retry');
      await rotatedOnceAsked(/it does not trust CA new-ca/);
    });
  });

  it('evidence that is not complete is gathered again after a retry, every target is moved again, and a person approves', async () => {
    let looks = 0;
    const gatherEvidence = async () =>
      (looks += 1) === 1 ? evidence({ complete: false, missing: ['pod-7'] }) : evidence();
    await rotation.start({ gatherEvidence });
    const { waitingFor } = await rotation.waitsForAPerson();
    assert.match(waitingFor, /evidence \(Not on the new CA: pod-7\)/);
    await rotation.intervene('retry');
    await rotatedOnceAsked(/Not on the new CA: pod-7/);
    assert.equal(rotation.names().filter((name) => name === 'preflightLeaf').length, 2);
  });

  it('evidence that is not complete is skipped: nothing is removed, and it is said who skipped it, and why', async () => {
    const missing = ['worker: could not be looked at: 403'];
    await rotation.start({ gatherEvidence: async () => evidence({ complete: false, missing }) });
    const { next } = await rotation.waitsForAPerson();
    assert.match(next, /\| skip authority-\d+ evidence --who/);
    await rotation.intervene('skip', { target: 'evidence' });
    const { outcome, reason } = await rotation.result();
    assert.equal(outcome, 'keptBoth');
    assert.match(
      reason!,
      /worker: could not be looked at: 403\. Skipped by ann \(claimed\): she knows\. Nothing is removed/,
    );
    assert.ok(!rotation.names().includes('removeCa'));
  });

  it('safety 30: a bad, early or contradictory intervention is shown, and stops nothing', async () => {
    await rotation.start({}, { approval: { mode: 'manual', deadlineMs: day, remindEveryMs: day } });
    await rotation.reach('approve');
    const bad: [string, unknown][] = [
      ['retryTarget', undefined],
      ['retryTarget', 'garbage'],
      ['retryTarget', ann],
      ['skipTarget', { ...ann, target: 7 }],
      ['skipTarget', { ...ann, target: 'worker' }],
      ['abortCaRotation', null],
      ['abortCaRotation', { who: 'ann' }],
    ];
    for (const [signal, payload] of bad)
      await rotation.handle.signal(signal, ...(payload === undefined ? [] : [payload]));
    const { problems, phase } = await rotation.status();
    assert.equal(problems.filter((line) => line.startsWith('Ignored "')).length, bad.length);
    assert.equal(phase, 'approve');
    assert.match(await refusalOf(rotation.intervene('explode')), /"action" must be/);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
  });
});
