import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { RotationEnd } from '../../src/domain/audit.js';
import type { FailureType } from '../../src/domain/failures.js';
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

const leafSteps = [
  'resolveLeafRotation',
  'preflightLeaf',
  'issueLeaf',
  'testConnection',
  'updateTarget',
  'rollOut',
  'confirmAdoption',
  'discardPairs',
];

describe('caRotation', () => {
  let tests: WorkflowTests;
  let count = 0;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  interface Run {
    readonly fakes: FakeActivities;
    readonly authority: string;
    readonly handle: WorkflowHandle;
  }

  /** Automatic approval, unless `planned` says otherwise; what people are asked is in approval-*.test.ts. */
  async function start(overrides: Partial<Activities> = {}, planned: Partial<CaPlan> = {}): Promise<Run> {
    const authority = `authority-${(count += 1)}`;
    const resolveCaRotation = async () => plan(authority, { approval: automatic, ...planned });
    const fakes = fakeActivities({ resolveCaRotation, ...overrides });
    tests.use(fakes);
    const handle = await tests.start('caRotation', caRotationId(authority), { authority });
    return { fakes, authority, handle };
  }

  const result = ({ handle }: Run) => handle.result() as Promise<CaRotationResult>;
  const namesAfter = (fakes: FakeActivities, name: keyof Activities) =>
    fakes.names().slice(fakes.names().lastIndexOf(name) + 1);

  it('safety 44: an outage of hours ends nothing once something is changed: whatever the rotation then needs is tried for so long', async () => {
    const { handle } = await start({}, { windowed: true });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const scheduled = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: one }) => (one ? [one] : []));
    const changed = scheduled.slice(scheduled.findIndex(({ activityType }) => activityType?.name === 'issueCa'));
    const limits = changed.map(({ activityType, scheduleToCloseTimeout }) => ({
      name: activityType!.name!,
      hours: Number(scheduleToCloseTimeout!.seconds) / 3600,
    }));
    for (const name of ['issueCa', 'trustCa', 'resolveCaRotation', 'nextWindow', 'removeCa', 'finishCa'])
      assert.ok(
        limits.some((one) => one.name === name),
        name,
      );
    assert.deepEqual(
      limits.filter(({ hours }) => hours < 6),
      [],
    );
  });

  it('goes through the runbook in its order', async () => {
    const started = await start();
    const { outcome, oldFingerprint, newFingerprint, decision, leaves } = await result(started);
    assert.deepEqual(started.fakes.names(), [
      'resolveCaRotation',
      'preflightCa',
      'issueCa',
      'trustCa',
      'proveTrust',
      'widenFilters',
      ...leafSteps,
      'moveSigner',
      'resolveCaRotation',
      'gatherEvidence',
      'markRetiring',
      'rememberTrust',
      'removeCa',
      'finishCa',
    ]);
    assert.deepEqual(
      [outcome, oldFingerprint, newFingerprint, decision?.who],
      ['rotated', 'old-ca', 'new-ca', 'policy'],
    );
    assert.deepEqual(
      leaves.map(({ target }) => target),
      [`${started.authority}-canary`],
    );
  });

  it('safety 38: what a change of the namespace lost and restored is among its problems, whichever change it was', async () => {
    const noted = (what: string) => ({ notes: [`${what} lost a field; it was put back.`] });
    const started = await start({
      trustCa: async () => noted('trustCa'),
      widenFilters: async () => ({ line: 'widened', ...noted('widenFilters') }),
      removeCa: async () => ({ lines: [], ...noted('removeCa') }),
    });
    await result(started);
    const { problems } = await started.handle.query<RotationStatus>('status');
    assert.deepEqual(
      problems.map((line) => line.split(' ')[0]),
      ['trustCa', 'widenFilters', 'removeCa'],
    );
  });

  it('goes on with a CA that leaves out what Temporal documents, and says so', async () => {
    const made = { ca: certificateFacts('new-ca'), old: certificateFacts('old-ca') };
    const started = await start({ issueCa: async () => ({ ...made, warnings: ['O=Acme leaves out keyUsage'] }) });
    assert.equal((await result(started)).outcome, 'rotated');
    const { problems } = await started.handle.query<RotationStatus>('status');
    assert.deepEqual(problems, ['O=Acme leaves out keyUsage']);
  });

  it('safety 12: canaries name the new CA, then the signing pointer moves, then one by one those that reload, then the others', async () => {
    const started = await start({}, { canaries: ['c1', 'c2'], alone: ['s1', 's2'], others: ['o1', 'o2'] });
    await result(started);
    const { calls } = started.fakes;
    const order = calls.flatMap(({ name, input }) =>
      name === 'moveSigner' ? ['moveSigner'] : name === 'preflightLeaf' ? [String(input['target'])] : [],
    );
    assert.deepEqual(order.slice(0, 5), ['c1', 'c2', 'moveSigner', 's1', 's2']);
    assert.deepEqual(new Set(order.slice(5)), new Set(['o1', 'o2']));
    const signers = calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['ca']);
    assert.deepEqual(
      signers,
      Array.from({ length: 6 }, () => 'new-ca'),
    );
    const beforeS2 = calls.slice(
      0,
      calls.findIndex(({ input }) => input['target'] === 's2'),
    );
    assert.equal(beforeS2.filter(({ name }) => name === 'discardPairs').length, 3, 's2 began before s1 had ended');
  });

  it('waits for the soak before it gathers evidence', async () => {
    const times: number[] = [];
    const moveSigner = async () => void times.push(await tests.env.currentTimeMs());
    const gatherEvidence = async () => {
      times.push(await tests.env.currentTimeMs());
      return evidence();
    };
    const threeHours = 3 * 3_600_000;
    await result(await start({ moveSigner, gatherEvidence }, { soakMs: threeHours }));
    assert.ok(times[1]! - times[0]! >= threeHours);
  });

  it('takes no CA away where there was none before', async () => {
    const started = await start({ issueCa: async () => ({ ca: certificateFacts('new-ca') }) });
    assert.equal((await result(started)).outcome, 'rotated');
    assert.deepEqual(namesAfter(started.fakes, 'gatherEvidence'), ['finishCa']);
  });

  describe('before the removal, every refusal leaves both CAs trusted', () => {
    const refusals: [keyof Activities, FailureType][] = [
      ['resolveCaRotation', 'UnknownAuthority'],
      ['preflightCa', 'BundleFull'],
      ['issueCa', 'ForeignNextAuthority'],
      ['trustCa', 'CloudForbidden'],
      ['proveTrust', 'ProbeRefused'],
      ['widenFilters', 'WouldLockOut'],
      ['moveSigner', 'ForeignNextAuthority'],
      ['gatherEvidence', 'AuthorityKeyMissing'],
    ];
    for (const [activity, type] of refusals) {
      it(`${type} of ${activity}`, async () => {
        const { handle, fakes } = await start({ [activity]: failing(type) });
        assert.equal(typeOf(await tests.failureOf(handle)), type);
        assert.deepEqual(namesAfter(fakes, activity), []);
      });
    }

    it('a leaf rotation that fails names its target', async () => {
      const { handle, fakes, authority } = await start({ rollOut: failing('RolloutFailed') });
      const error = await tests.failureOf(handle);
      assert.equal(typeOf(error), 'RolloutFailed');
      assert.match(rootOf(error).message, new RegExp(`${authority}-canary was not moved; both CAs stay trusted`));
      assert.deepEqual(namesAfter(fakes, 'rollOut'), ['restoreTarget', 'trustCa']);
    });

    it('one of several leaf rotations that fails is waited out with the others', async () => {
      const rollOut = ({ target }: { target: string }) =>
        target === 'bad' ? failing('RolloutFailed')() : Promise.resolve();
      const { handle, fakes } = await start({ rollOut }, { canaries: [], others: ['bad', 'good', 'better'] });
      assert.equal(typeOf(await tests.failureOf(handle)), 'RolloutFailed');
      const ended = fakes.calls.filter(({ name }) => name === 'discardPairs').map(({ input }) => input['target']);
      assert.deepEqual(new Set(ended), new Set(['better', 'good']));
    });

    it('incomplete evidence names who is not on the new CA', async () => {
      const gatherEvidence = async () => evidence({ complete: false, missing: ['pod-7'] });
      const { handle, fakes } = await start({ gatherEvidence });
      const error = await tests.failureOf(handle);
      assert.equal(typeOf(error), 'EvidenceMissing');
      assert.match(rootOf(error).message, /Both CAs stay trusted.*pod-7/);
      assert.deepEqual(namesAfter(fakes, 'gatherEvidence'), ['trustCa']);
    });
  });

  describe('a removal that goes wrong puts back what was trusted', () => {
    const wrong: [keyof Activities, FailureType, string[]][] = [
      ['markRetiring', 'ForeignNextAuthority', ['keepBothCas']],
      ['rememberTrust', 'CloudForbidden', ['keepBothCas']],
      ['removeCa', 'RemovalUndone', ['restoreTrust', 'keepBothCas']],
    ];
    for (const [activity, type, cleanUp] of wrong) {
      it(`${type} of ${activity}: ${cleanUp.join(', ')}`, async () => {
        const { handle, fakes } = await start({ [activity]: failing(type) });
        assert.equal(typeOf(await tests.failureOf(handle)), type);
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }

    it('safety 38: what putting back lost and restored of the namespace is among its problems', async () => {
      const restoreTrust = async () => ({ notes: ['restoreTrust lost a field; it was put back.'] });
      const { handle } = await start({ removeCa: failing('RemovalUndone'), restoreTrust });
      await tests.failureOf(handle);
      const { problems } = await handle.query<RotationStatus>('status');
      assert.match(problems.join('\n'), /restoreTrust lost a field/);
    });

    it('safety 41: also in a namespace that another run had taken it from, and was terminated', async () => {
      const gatherEvidence = async () => evidence({}, ['one', 'two']);
      const removal = { removeCa: failing('RemovalUndone'), gatherEvidence };
      const { handle, fakes } = await start(removal, { namespaces: ['one', 'two', 'three'] });
      await tests.failureOf(handle);
      assert.deepEqual(namesAfter(fakes, 'removeCa'), ['restoreTrust', 'rememberTrust', 'restoreTrust', 'keepBothCas']);
      const restored = fakes.calls.filter(({ name }) => name === 'restoreTrust').map(({ input }) => input['before']);
      assert.deepEqual(
        restored.map((before) => (before as { namespace: string }).namespace),
        ['one', 'three'],
      );
    });

    it('in every namespace that it had left', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 2 ? failing('RemovalUndone')() : { lines: [] });
      const { handle, fakes } = await start({ removeCa }, { namespaces: ['one', 'two', 'three'] });
      assert.equal(typeOf(await tests.failureOf(handle)), 'RemovalUndone');
      const restored = fakes.calls.filter(({ name }) => name === 'restoreTrust').map(({ input }) => input['before']);
      const trusted = { bundle: [certificateFacts('old-ca')], filters: [], removing: ['old-ca'] };
      assert.deepEqual(restored, [
        { namespace: 'one', ...trusted },
        { namespace: 'two', ...trusted },
      ]);
      const known = fakes.calls.filter(({ name }) => name === 'removeCa').map(({ input }) => input['earlier']);
      assert.deepEqual(known, [undefined, [{ namespace: 'one', ...trusted }]], 'by the API key alone, too');
    });

    it('where that fails, too, the old CA stays marked as retiring and a person is called', async () => {
      const { handle, fakes } = await start({
        removeCa: failing('RemovalUndone'),
        restoreTrust: failing('CloudForbidden'),
      });
      assert.equal(typeOf(await tests.failureOf(handle)), 'RemovalUndone');
      assert.deepEqual(namesAfter(fakes, 'removeCa'), ['restoreTrust']);
      const { problems } = await handle.query<RotationStatus>('status');
      assert.match(problems.join(), /A person is needed: the old CA could not be put back\. booking\.acct/);
    });
  });

  describe('a cancellation leaves a working state', () => {
    const interrupted: [keyof Activities, string[]][] = [
      ['trustCa', []],
      ['proveTrust', []],
      ['widenFilters', []],
      ['rollOut', ['restoreTarget']],
      ['gatherEvidence', []],
      ['markRetiring', ['keepBothCas']],
      ['removeCa', ['restoreTrust', 'keepBothCas']],
    ];
    for (const [activity, cleanUp] of interrupted) {
      it(`in ${activity}: ${cleanUp.join(', ') || 'both CAs stay trusted'}`, async () => {
        const { handle, fakes } = await start({ [activity]: untilCancelled });
        await tests.eventually(async () => fakes.names().includes(activity));
        await tests.cancel(handle);
        await tests.failureOf(handle);
        assert.equal((await handle.describe()).status.name, 'CANCELLED');
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }

    const uninterrupted: [keyof Activities, string, string[]][] = [
      ['preflightCa', 'CANCELLED', []],
      ['issueCa', 'CANCELLED', []],
      ['moveSigner', 'CANCELLED', []],
      ['rememberTrust', 'CANCELLED', ['restoreTrust', 'keepBothCas']],
      ['finishCa', 'COMPLETED', []],
    ];
    for (const [activity, end, cleanUp] of uninterrupted) {
      it(`in ${activity}, which is not interrupted: ${[...cleanUp, end.toLowerCase()].join(', ')}`, async () => {
        const { opened, open } = gate();
        const real = fakeActivities().activities[activity] as (input: unknown) => Promise<unknown>;
        const { handle, fakes } = await start({
          [activity]: async (input: unknown) => {
            await opened;
            return real(input);
          },
        });
        await tests.eventually(async () => fakes.names().includes(activity));
        await tests.cancel(handle);
        open();
        await tests.failureOf(handle);
        assert.equal((await handle.describe()).status.name, end);
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }

    it('during the soak', async () => {
      const { handle, fakes } = await start({}, { soakMs: 3_600_000 });
      await tests.reach(handle, 'confirm');
      await tests.cancel(handle);
      await tests.failureOf(handle);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.deepEqual(namesAfter(fakes, 'moveSigner'), ['resolveCaRotation']);
    });

    it('while a person is waited for', async () => {
      const manual = { mode: 'manual', deadlineMs: 86_400_000, remindEveryMs: 3_600_000 } as const;
      const { handle, fakes } = await start({}, { approval: manual });
      await tests.reach(handle, 'approve');
      await tests.cancel(handle);
      await tests.failureOf(handle);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.deepEqual(namesAfter(fakes, 'gatherEvidence'), []);
    });
  });

  it('a bad request fails the workflow, not its task', async () => {
    for (const request of [undefined, null, 'authority', {}, [], { authority: 7 }, { authority: '' }]) {
      const args = request === undefined ? [] : [request];
      const handle = await tests.start('caRotation', `bad-${(count += 1)}`, ...args);
      assert.equal(typeOf(await tests.failureOf(handle)), 'BadRequest', JSON.stringify(request));
    }
  });

  describe('safety 45: how it ended is put on record before the workflow closes', () => {
    const recorded = ({ fakes }: Run) => {
      assert.equal(fakes.calls.filter(({ name }) => name === 'recordRotation').length, 1);
      assert.equal(fakes.calls.filter(({ name }) => name !== 'notify').at(-1)?.name, 'recordRotation');
      return fakes.calls.find(({ name }) => name === 'recordRotation')!.input as unknown as RotationEnd;
    };

    it('rotated: with who decided, and on what evidence', async () => {
      const started = await start();
      const ended = await result(started);
      const { outcome, result: told } = recorded(started);
      assert.deepEqual([outcome, told], ['rotated', ended]);
      assert.deepEqual(told?.evidence, { digest: evidence().digest, facts: evidence().facts });
    });

    it('failed: with what happened', async () => {
      const started = await start({ trustCa: failing('CloudForbidden') });
      await tests.failureOf(started.handle);
      const { outcome, reason } = recorded(started);
      assert.deepEqual([outcome, reason], ['failed', 'planted CloudForbidden.']);
    });

    it('cancelled', async () => {
      const started = await start({ proveTrust: untilCancelled });
      await tests.eventually(async () => started.fakes.names().includes('proveTrust'));
      await tests.cancel(started.handle);
      await tests.failureOf(started.handle);
      assert.equal(recorded(started).outcome, 'cancelled');
    });

    it('and that it could not be recorded changes nothing about it', async () => {
      const started = await start({ recordRotation: failing('KeystoreForbidden') });
      assert.equal((await result(started)).outcome, 'rotated');
      const { problems } = await started.handle.query<RotationStatus>('status');
      assert.match(problems.join(), /not on record: planted KeystoreForbidden/);
    });
  });
});
