import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { Notification } from '../../src/domain/notification.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';
import {
  evidence,
  failing,
  fakeActivities,
  gate,
  plan,
  untilCancelled,
  type FakeActivities,
} from '../support/fake-activities.js';
import { rootOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

const hour = 3_600_000;
const day = 24 * hour;
const ada = { who: 'ada', why: 'the key was in a public bucket', leaked: 'current' };
const patient = { mode: 'manual', deadlineMs: 5 * day, remindEveryMs: day } as const;

describe('safety 43: an emergency', () => {
  let tests: WorkflowTests;
  let count = 0;
  let authority: string;
  let fakes: FakeActivities;
  let handle: WorkflowHandle;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  async function start(
    overrides: Partial<Activities> = {},
    planned: Partial<CaPlan> = {},
    emergency?: object,
  ): Promise<void> {
    authority = `authority-${(count += 1)}`;
    const resolveCaRotation = async () => plan(authority, { approval: patient, ...planned });
    fakes = fakeActivities({ resolveCaRotation, ...overrides });
    tests.use(fakes);
    handle = await tests.start('caRotation', caRotationId(authority), {
      authority,
      ...(emergency && { who: ada.who, emergency }),
    });
  }

  const status = () => handle.query<RotationStatus>('status');
  const result = () => handle.result() as Promise<CaRotationResult>;
  const declare = (sent: object = {}) => handle.executeUpdate('emergency', { args: [{ ...ada, ...sent }] });
  const intervene = (action: string, sent: object = {}) =>
    handle.executeUpdate('intervene', { args: [{ action, who: 'ann', why: 'a doubt', ...sent }] });
  const refusalOf = async (sent: Promise<unknown>) => rootOf(await sent.catch((error: unknown) => error)).message;
  const inputsOf = (name: keyof Activities) =>
    fakes.calls.filter((call) => call.name === name).map(({ input }) => input);
  /** How long its timers ran to their ends, together (milliseconds): the server may skip time otherwise, too. */
  const waited = async () => (await firedTimers(handle)).reduce((sum, one) => sum + one, 0);
  const waitsForAPerson = () =>
    tests.eventually(async () => {
      const seen = await status();
      return seen.waitingFor.startsWith('a person, because of') && seen;
    });

  it('that comes with the start waits for proofs only, and the word of who declared it is the approval', async () => {
    const waits = { trustSoakMs: day, soakMs: 10 * hour, windowed: true };
    const windows = async () => ({ waitMs: 1000 * day, by: 'window', line: 'waiting' }) as const;
    await start({ nextWindow: windows }, waits, ada);
    const { outcome, decision } = await result();
    assert.equal(await waited(), 70_000, 'a long poll, and no other time');
    assert.equal(outcome, 'rotated');
    assert.deepEqual([decision?.who, decision?.why], ['ada', 'emergency: the key was in a public bucket']);
    assert.equal(decision?.evidence, evidence().digest, 'the removal is not bound to evidence');
    for (const proof of ['proveTrust', 'testConnection', 'confirmAdoption', 'gatherEvidence', 'removeCa'] as const)
      assert.ok(fakes.names().includes(proof), `${proof} was left out`);
    assert.ok(!fakes.names().includes('nextWindow'));
    assert.equal(fakes.names()[0], 'declareCompromised', 'something came before it was on record');
    assert.equal(inputsOf('preflightLeaf')[0]!['urgent'], true);
  });

  it('moves the pointer as soon as the new CA is proved to be trusted, before the first target moves', async () => {
    await start({}, {}, ada);
    await result();
    const names = fakes.names();
    assert.ok(names.indexOf('moveSigner') > names.indexOf('proveTrust'));
    assert.ok(names.indexOf('moveSigner') < names.indexOf('issueLeaf'));
  });

  describe('escalates a rotation that waits', () => {
    it('for its approval', async () => {
      await start();
      await tests.reach(handle, 'approve');
      await declare();
      await result();
      assert.ok((await waited()) < hour);
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, decision?.who], ['rotated', 'ada']);
    });

    it('for its soak: what is left of one long poll remains', async () => {
      await start({}, { soakMs: 10 * hour });
      await tests.reach(handle, 'confirm');
      await declare();
      await result();
      assert.ok((await waited()) < hour);
      assert.equal((await result()).outcome, 'rotated');
      const [{ quietSince } = {}] = inputsOf('gatherEvidence');
      assert.ok(quietSince, 'pods that were just replaced would count as strangers');
    });

    it('for its window', async () => {
      const nextWindow = async () => ({ waitMs: 3 * day, by: 'window', line: 'waiting for windows.removals' }) as const;
      await start({ nextWindow }, { windowed: true, approval: { ...patient, mode: 'automatic' } });
      await tests.eventually(async () => /windows\.removals/.test((await status()).waitingFor));
      await declare();
      await result();
      assert.ok((await waited()) < hour);
      assert.equal((await result()).outcome, 'rotated');
    });

    it('for the window of a restart: the leaf rotation under way goes on, and no other leaf comes from the compromised CA', async () => {
      const { resolveLeafRotation } = fakeActivities().activities;
      const nextWindow = async () => ({ waitMs: 3 * day, by: 'window', line: 'waiting for windows.restarts' }) as const;
      await start({
        resolveLeafRotation: async (request) => ({ ...(await resolveLeafRotation(request)), windowed: true }),
        nextWindow,
      });
      const leaf = tests.env.client.workflow.getHandle(leafRotationId(`${authority}-canary`));
      await tests.eventually(async () => fakes.names().includes('nextWindow'));
      await declare();
      assert.equal((await result()).outcome, 'rotated');
      assert.ok(!(await firedTimers(leaf)).some((ms) => ms >= hour), 'it waited for its window');
      const names = fakes.names();
      assert.ok(names.indexOf('moveSigner') < names.indexOf('issueLeaf'));
    });

    it('for a person, because of what failed before: it is tried again, urgently', async () => {
      let rollouts = 0;
      const rollOut = async () => ((rollouts += 1) === 1 ? failing('RolloutFailed')() : undefined);
      await start({ rollOut });
      await waitsForAPerson();
      await declare();
      assert.equal((await result()).outcome, 'rotated');
      assert.deepEqual(
        inputsOf('preflightLeaf').map(({ urgent }) => urgent),
        [undefined, true],
      );
    });

    it('for a person, because of missing evidence: everybody is moved again', async () => {
      let looks = 0;
      const gatherEvidence = async () =>
        (looks += 1) === 1 ? evidence({ complete: false, missing: ['worker'] }) : evidence();
      await start({ gatherEvidence });
      await waitsForAPerson();
      await declare();
      assert.equal((await result()).outcome, 'rotated');
    });

    it('by signal, too; said twice it is declared once', async () => {
      await start();
      await tests.reach(handle, 'approve');
      await handle.signal('declareEmergency', ada);
      await declare().catch(() => undefined);
      assert.equal((await result()).decision?.who, 'ada');
      assert.equal(inputsOf('declareCompromised').length, 1);
    });
  });

  describe('that could not be put on record is not accepted, and may be declared again:', () => {
    /** Refuses once. */
    const recording = () => {
      let attempts = 0;
      return async () =>
        (attempts += 1) === 1 ? failing('KeystoreForbidden')() : { current: 'old-ca', lines: ['marked'] };
    };

    it('the answer says so', async () => {
      await start({ declareCompromised: recording() });
      await tests.reach(handle, 'approve');
      assert.match(
        await refusalOf(declare()),
        /could not be put on record, and does not count: planted KeystoreForbidden/,
      );
      assert.equal((await status()).phase, 'approve', 'it counts although it is not on record');
      await declare();
      assert.equal((await result()).decision?.who, 'ada');
    });

    it('the status says so of one that came by signal, or with the start', async () => {
      await start({ declareCompromised: recording() }, {}, ada);
      const { problems } = await tests.reach(handle, 'approve');
      assert.match(problems.join(), /could not be put on record/);
      await handle.signal('declareEmergency', ada);
      assert.equal((await result()).decision?.who, 'ada');
    });

    it('one that is on record is so whatever comes of hurrying the rest', async () => {
      const { opened, open } = gate();
      const testConnection = async () => opened;
      await start({ testConnection, moveSigner: failing('KeystoreForbidden') });
      await tests.reach(handle, 'leaves');
      assert.deepEqual(await declare(), { accepted: true, phase: 'leaves' });
      assert.match((await status()).problems.join('\n'), /Not everything that waits was hurried: planted/);
      open();
      await tests.failureOf(handle);
    });
  });

  it('that is not one is shown, and stops nothing', async () => {
    await start();
    await tests.reach(handle, 'approve');
    for (const bad of [undefined, 'now', { who: 'ada' }, { ...ada, leaked: 'everything' }])
      await handle.signal('declareEmergency', ...(bad === undefined ? [] : [bad]));
    await tests.eventually(
      async () => (await status()).problems.filter((line) => line.startsWith('Ignored "emergency"')).length === 4,
    );
    assert.match(await refusalOf(declare({ why: ' ' })), /"why" must give the reason/);
    assert.equal((await status()).phase, 'approve');
    await handle.signal('rejectCaRemoval', { who: 'ann', why: 'enough' });
    await result();
  });

  describe('needs clean evidence', () => {
    const stranger = evidence({ unknownPollers: ['1@laptop (booking)'] });

    it('a poller that belongs to nobody known is put to a person', async () => {
      await start({ gatherEvidence: async () => stranger }, {}, ada);
      const { problems } = await tests.reach(handle, 'approve');
      assert.match(problems.join(), /1@laptop/);
      await handle.signal('approveCaRemoval', { who: 'bob', why: 'it is the attacker' });
      const { decision } = await result();
      assert.equal(decision?.who, 'bob');
    });

    it('unless whoever declared it said that unknown pollers may be locked out', async () => {
      await start({ gatherEvidence: async () => stranger }, {}, { ...ada, lockOutUnknown: true });
      assert.equal((await result()).decision?.who, 'ada');
    });

    it('a target that is not on the new CA is never passed over', async () => {
      let looks = 0;
      const gatherEvidence = async () =>
        (looks += 1) === 1 ? evidence({ complete: false, missing: ['worker'] }) : evidence();
      await start({ gatherEvidence }, {}, ada);
      await waitsForAPerson();
      assert.ok(!fakes.names().includes('removeCa'));
      await intervene('retry');
      assert.equal((await result()).outcome, 'rotated');
    });

    it('where two approvers must sign, whoever declared it may be one of them', async () => {
      await start({}, { approval: { ...patient, secondPerson: true, approvers: ['ada', 'bob'] } }, ada);
      await tests.reach(handle, 'approve');
      for (const who of ['ada', 'bob'])
        await handle.signal('approveCaRemoval', { who, why: 'seen', signature: `of ${who}` });
      const { decision } = await result();
      assert.deepEqual([decision?.who, decision?.seconded?.who], ['ada', 'bob']);
    });

    it('where approvers are listed it takes a signature all the same', async () => {
      await start({}, { approval: { ...patient, approvers: ['bob'] } }, ada);
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', { who: 'bob', why: 'seen', signature: 'of bob' });
      const { decision } = await result();
      assert.deepEqual([decision?.who, decision?.identity], ['bob', 'verified']);
    });
  });

  it('safety 42: a rescue whose old CA has expired needs no second person: its removal shuts nobody out', async () => {
    const issues = (notAfter: string) => async () => ({
      ca: certificateFacts('new-ca'),
      old: certificateFacts('old-ca', { notAfter }),
    });
    const rescue = { ...ada, leaked: 'none', lockOutUnknown: true };
    const approval = { ...patient, secondPerson: true, approvers: ['ada', 'bob'] };
    const declareCompromised = async () => ({ lines: [] });
    await start({ declareCompromised, issueCa: issues('2020-01-01T00:00:00.000Z') }, { approval }, rescue);
    const { decision } = await result();
    assert.deepEqual([decision?.who, decision?.why], ['ada', 'rescue: the key was in a public bucket']);
    await start({ declareCompromised, issueCa: issues('2999-01-01T00:00:00.000Z') }, { approval }, rescue);
    await tests.reach(handle, 'approve');
    await handle.signal('rejectCaRemoval', { who: 'bob', why: 'no' });
    await result();
  });

  describe('never goes back to the compromised CA', () => {
    const never = ['restoreTrust', 'keepBothCas', 'moveSignerBack', 'dropCa'] as const;
    const assertNothingWentBack = () => {
      for (const name of never) assert.ok(!fakes.names().includes(name), name);
    };

    it('an abort is refused; keeping both is left', async () => {
      await start({ rollOut: failing('RolloutFailed') }, {}, ada);
      await waitsForAPerson();
      assert.match(await refusalOf(intervene('abort')), /compromised, and nothing goes back to it; .*--keep-both/);
      await intervene('abort', { keepBoth: true });
      assert.equal((await result()).outcome, 'keptBoth');
      assertNothingWentBack();
    });

    it('also in a rotation that is started later without an emergency', async () => {
      const issueCa = async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca'),
        compromised: true as const,
      });
      await start({ issueCa, rollOut: failing('RolloutFailed') });
      await waitsForAPerson();
      assert.match(await refusalOf(intervene('abort')), /compromised/);
      assert.match((await status()).exposed!.join(), /Compromised CA old-ca is still trusted by 1 namespace/);
      await intervene('abort', { keepBoth: true });
      await result();
    });

    it('an undo of the removal is refused', async () => {
      const { opened, open } = gate();
      await start({ removeCa: async () => opened.then(() => ({ lines: [] })) }, {}, ada);
      await tests.eventually(async () => fakes.names().includes('removeCa'));
      assert.match(await refusalOf(intervene('undoRemoval')), /compromised: it stays out/);
      open();
      assert.equal((await result()).outcome, 'rotated');
    });

    it('whoever falls off is moved on to a fresh leaf, people are told, and the removal is watched again', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? failing('NotPutBack')() : { lines: ['watched'] });
      const notifiers = [{ notifier: 'ops', events: ['emergency'] }] as const;
      await start({ removeCa }, { notifiers }, ada);
      assert.equal((await result()).outcome, 'rotated');
      const names = fakes
        .names()
        .filter((name) => ['trustCa', 'proveTrust', 'preflightLeaf', 'removeCa'].includes(name));
      const again = ['trustCa', 'proveTrust', 'preflightLeaf', 'removeCa'];
      assert.deepEqual(names, [...again, ...again]);
      const titles = inputsOf('notify').map(({ notification }) => (notification as Notification).title);
      assert.ok(
        titles.some((title) => title.includes('somebody fell off')),
        titles.join(),
      );
      assertNothingWentBack();
    });

    it('who fell off waits for no window, also in a rotation that is started later without an emergency', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? failing('NotPutBack')() : { lines: [] });
      const issueCa = async () => ({
        ca: certificateFacts('new-ca'),
        old: certificateFacts('old-ca'),
        compromised: true as const,
      });
      await start({ removeCa, issueCa }, { approval: { ...patient, mode: 'automatic' } });
      const { digest } = evidence();
      await tests.eventually(async () => {
        if ((await status()).phase === 'approve')
          await handle.signal('approveCaRemoval', { who: 'bob', why: 'seen', evidence: digest });
        return removals === 2;
      });
      assert.equal((await result()).outcome, 'rotated');
      assert.deepEqual(
        inputsOf('preflightLeaf').map(({ urgent }) => urgent),
        [undefined, true],
      );
    });

    it('and when somebody falls off again, a person decides', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) <= 2 ? failing('NotPutBack')() : { lines: [] });
      await start({ removeCa }, {}, ada);
      const { waitingFor } = await waitsForAPerson();
      assert.match(waitingFor, /removal \(planted NotPutBack/);
      await intervene('retry');
      assert.equal((await result()).outcome, 'rotated');
      assertNothingWentBack();
    });

    it('one that comes while the removal is watched holds for that one, too', async () => {
      const { opened, open } = gate();
      let removals = 0;
      const removeCa = async () => {
        if ((removals += 1) > 1) return { lines: [] };
        await opened;
        return failing('NotPutBack')();
      };
      await start({ removeCa }, { approval: { ...patient, mode: 'automatic' } });
      await tests.eventually(async () => removals === 1);
      await declare();
      open();
      assert.equal((await result()).outcome, 'rotated');
      assertNothingWentBack();
    });

    it('one that comes while an undo of the removal was asked for turns it around: the removal goes on', async () => {
      let removals = 0;
      const { opened, open } = gate();
      const removeCa = async () => {
        if ((removals += 1) > 1) return { lines: [] };
        await untilCancelled().catch(() => opened);
        throw new CancelledFailure('cancelled');
      };
      await start({ removeCa }, { approval: { ...patient, mode: 'automatic' } });
      await tests.eventually(async () => removals === 1);
      await intervene('undoRemoval');
      await declare();
      open();
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, decision?.who, removals], ['rotated', 'ada', 2]);
      assertNothingWentBack();
    });

    it('one that comes while an abort moves everybody back turns it around', async () => {
      let aborts = 0;
      const targetsOnCa = async () => ((aborts += 1) === 1 ? untilCancelled() : { targets: [] });
      await start({ targetsOnCa });
      await tests.reach(handle, 'approve');
      await intervene('abort');
      await tests.eventually(async () => aborts === 1);
      await declare();
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, decision?.who, aborts], ['rotated', 'ada', 1]);
      assert.ok(!fakes.names().includes('dropCa'));
    });
  });

  describe('in which the next CA leaked', () => {
    const leakedNext = async () => ({ next: 'new-ca', lines: [] });
    /** The first CA leaks, the second does not. */
    const issues = () => {
      const cas = ['new-ca', 'newer-ca'];
      return async () => ({ ca: certificateFacts(cas.shift() ?? 'newer-ca'), old: certificateFacts('old-ca') });
    };

    it('begins anew with another one; the leaked one is never promoted', async () => {
      await start({ declareCompromised: leakedNext, issueCa: issues() });
      await tests.reach(handle, 'approve');
      await declare({ leaked: 'next' });
      const { outcome, newFingerprint } = await result();
      assert.deepEqual([outcome, newFingerprint], ['rotated', 'newer-ca']);
      assert.deepEqual(
        inputsOf('finishCa').map(({ ca }) => ca),
        ['newer-ca'],
      );
      assert.deepEqual(
        inputsOf('issueLeaf').map(({ ca }) => ca),
        ['new-ca', 'newer-ca'],
      );
      assert.equal(inputsOf('declareCompromised')[0]!['next'], 'new-ca');
    });

    it('also when that is said while it is being made: nobody ever trusts it', async () => {
      const { opened, open } = gate();
      const issue = issues();
      let attempts = 0;
      const issueCa = async () => {
        const issued = await issue();
        if ((attempts += 1) === 1) await opened;
        return issued;
      };
      await start({ declareCompromised: leakedNext, issueCa }, { approval: { ...patient, mode: 'automatic' } });
      await tests.reach(handle, 'issue');
      await declare({ leaked: 'next' });
      open();
      assert.equal((await result()).newFingerprint, 'newer-ca');
      assert.deepEqual(
        inputsOf('trustCa').map(({ ca }) => ca),
        ['newer-ca'],
      );
    });

    it('what failed before with that one waits for nobody any more', async () => {
      let rollouts = 0;
      const rollOut = async () => ((rollouts += 1) === 1 ? failing('RolloutFailed')() : undefined);
      await start({ declareCompromised: leakedNext, issueCa: issues(), rollOut });
      await waitsForAPerson();
      await declare({ leaked: 'next' });
      await tests.eventually(async () => inputsOf('issueCa').length === 2 && rollouts === 2);
      assert.match(await refusalOf(intervene('retry')), /nothing waits for a retry/);
      assert.equal((await result()).newFingerprint, 'newer-ca');
    });

    it('also while the old CA is being removed: what was taken goes back, if that one is clean', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? untilCancelled() : { lines: [] });
      await start(
        { declareCompromised: leakedNext, issueCa: issues(), removeCa },
        { approval: { ...patient, mode: 'automatic' } },
      );
      await tests.eventually(async () => removals === 1);
      await declare({ leaked: 'next' });
      assert.equal((await result()).newFingerprint, 'newer-ca');
      const names = fakes.names();
      assert.ok(names.indexOf('restoreTrust') < names.lastIndexOf('issueCa'), 'the old CA did not come back first');
    });

    it('waits with the last step until it is known whether the next CA is clean', async () => {
      const { opened, open } = gate();
      const removal = gate();
      await start(
        {
          declareCompromised: async () => opened.then(leakedNext),
          issueCa: issues(),
          removeCa: async () => removal.opened.then(() => ({ lines: ['the watch is over'] })),
        },
        { approval: { ...patient, mode: 'automatic' } },
      );
      await tests.eventually(async () => fakes.names().includes('removeCa'));
      await handle.signal('declareEmergency', { ...ada, leaked: 'next' });
      await tests.eventually(async () => fakes.names().includes('declareCompromised'));
      removal.open();
      await tests.eventually(async () => (await status()).proved.includes('the watch is over'));
      open();
      assert.equal((await result()).newFingerprint, 'newer-ca');
      assert.deepEqual(
        inputsOf('finishCa').map(({ ca }) => ca),
        ['newer-ca'],
      );
    });
  });

  it('says after each step what is still exposed, in the status and to people', async () => {
    let trusted = ['one', 'two'];
    const gatherExposure = async () => [{ ca: 'old-ca', namespaces: trusted, targets: [] }];
    const removeCa = async () => ((trusted = trusted.slice(1)), { lines: [] });
    const notifiers = [{ notifier: 'ops', events: ['emergency'] }] as const;
    const namespaces = ['one', 'two'];
    await start({ gatherExposure, removeCa }, { notifiers, namespaces }, ada);
    await result();
    const told = inputsOf('notify').map(({ notification }) => notification as Notification);
    assert.ok(told.every(({ severity }) => severity === 'critical'));
    const lines = told.map(({ title, lines: [line] }) => `${title}: ${line}`).join('\n');
    assert.match(lines, /it is on record which CA is compromised: .*trusted by 2 namespaces \(one, two\)/);
    assert.match(lines, /is trusted: .*trusted by 2 namespaces/);
    assert.match(lines, /every target was moved: .*trusted by 2 namespaces .*no known target uses it/);
    assert.match(lines, /CA old-ca left one: .*trusted by 1 namespace \(two\)/);
    assert.match(lines, /CA old-ca left two: .*trusted by no namespace any more/);
    assert.match((await status()).exposed!.join(), /trusted by no namespace any more/);
  });
});

/** Of the timers that ran to their ends, how long each did (milliseconds). */
async function firedTimers(handle: WorkflowHandle): Promise<readonly number[]> {
  const events = (await handle.fetchHistory()).events ?? [];
  const fired = events.flatMap(({ timerFiredEventAttributes: timer }) => timer?.startedEventId?.toString() ?? []);
  const timers = events.filter(({ eventId }) => fired.includes(String(eventId)));
  return timers.map((timer) => 1000 * Number(timer.timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0));
}

describe('safety 43: a leaf whose key leaked', () => {
  let tests: WorkflowTests;
  let fakes: FakeActivities;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  const leak = { who: 'ada', why: 'a laptop was stolen' };
  const named = (name: keyof Activities) => fakes.calls.filter((call) => call.name === name);
  async function start(target: string, overrides: Partial<Activities> = {}): Promise<WorkflowHandle> {
    const { resolveLeafRotation } = fakeActivities().activities;
    const notifiers = [{ notifier: 'ops', events: ['emergency'] }] as const;
    fakes = fakeActivities({
      resolveLeafRotation: async (request) => ({ ...(await resolveLeafRotation(request)), windowed: true, notifiers }),
      ...overrides,
    });
    tests.use(fakes);
    const { taskQueue } = WorkflowTests;
    return tests.env.client.workflow.signalWithStart('leafRotation', {
      workflowId: `leaf/${target}`,
      taskQueue,
      args: [{ target }],
      signal: 'leafLeaked',
      signalArgs: [leak],
    });
  }

  it('is replaced at once, due or not, and it is said what ends its use', async () => {
    const preflightLeaf = async () => ({
      current: certificateFacts('old-leaf'),
      consumers: [],
      warnings: [],
      skip: 'Not due',
    });
    const handle = await start('one', { preflightLeaf });
    assert.equal(((await handle.result()) as { outcome: string }).outcome, 'rotated');
    assert.equal(named('nextWindow').length, 0);
    const told = named('notify').map(({ input }) => input['notification'] as Notification);
    assert.equal(told.length, 2);
    assert.match(told.at(-1)!.lines.join(), /leaf old-leaf .*cannot be revoked.*cert-rotation emergency ca authority/);
  });

  it('does not go back when the new one does not roll out', async () => {
    const handle = await start('two', { rollOut: failing('RolloutFailed') });
    await tests.failureOf(handle);
    assert.equal(named('restoreTarget')[0]!.input['leaked'], true);
  });
});
