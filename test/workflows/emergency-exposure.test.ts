import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { Notification } from '../../src/domain/notification.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { EmergencyRotation, ada, patient } from '../support/emergency-rotation.js';
import { refusalOf } from '../support/failures.js';
import { failing, fakeActivities, gate, untilCancelled, type FakeActivities } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('safety 43: an emergency', () => {
  let rotation: EmergencyRotation;
  before(async () => {
    rotation = await EmergencyRotation.begin();
  });
  after(() => rotation?.stop());

  describe('in which the next CA leaked', () => {
    const leakedNext = async () => ({ next: 'new-ca', lines: [] });
    /** The first CA leaks, the second does not. */
    const issues = () => {
      const cas = ['new-ca', 'newer-ca'];
      return async () => ({ ca: certificateFacts(cas.shift() ?? 'newer-ca'), old: certificateFacts('old-ca') });
    };

    it('begins anew with another one; the leaked one is never promoted', async () => {
      await rotation.start({ declareCompromised: leakedNext, issueCa: issues() });
      await rotation.reach('approve');
      await rotation.declare({ leaked: 'next' });
      const { outcome, newFingerprint } = await rotation.result();
      assert.deepEqual([outcome, newFingerprint], ['rotated', 'newer-ca']);
      assert.deepEqual(
        rotation.inputsOf('finishCa').map(({ ca }) => ca),
        ['newer-ca'],
      );
      assert.deepEqual(
        rotation.inputsOf('issueLeaf').map(({ ca }) => ca),
        ['new-ca', 'newer-ca'],
      );
      assert.equal(rotation.inputsOf('declareCompromised')[0]!['next'], 'new-ca');
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
      await rotation.start(
        { declareCompromised: leakedNext, issueCa },
        { approval: { ...patient, mode: 'automatic' } },
      );
      await rotation.reach('issue');
      await rotation.declare({ leaked: 'next' });
      open();
      assert.equal((await rotation.result()).newFingerprint, 'newer-ca');
      assert.deepEqual(
        rotation.inputsOf('trustCa').map(({ ca }) => ca),
        ['newer-ca'],
      );
    });

    it('what failed before with that one waits for nobody any more', async () => {
      let rollouts = 0;
      const rollOut = async () => ((rollouts += 1) === 1 ? failing('RolloutFailed')() : undefined);
      await rotation.start({ declareCompromised: leakedNext, issueCa: issues(), rollOut });
      await rotation.waitsForAPerson();
      await rotation.declare({ leaked: 'next' });
      await rotation.tests.eventually(async () => rotation.inputsOf('issueCa').length === 2 && rollouts === 2);
      assert.match(await refusalOf(rotation.intervene('retry')), /nothing waits for a retry/);
      assert.equal((await rotation.result()).newFingerprint, 'newer-ca');
    });

    it('also while the old CA is being removed: what was taken goes back, if that one is clean', async () => {
      let removals = 0;
      const removeCa = async () => ((removals += 1) === 1 ? untilCancelled() : { lines: [] });
      await rotation.start(
        { declareCompromised: leakedNext, issueCa: issues(), removeCa },
        { approval: { ...patient, mode: 'automatic' } },
      );
      await rotation.tests.eventually(async () => removals === 1);
      await rotation.declare({ leaked: 'next' });
      assert.equal((await rotation.result()).newFingerprint, 'newer-ca');
      const names = rotation.names();
      assert.ok(names.indexOf('restoreTrust') < names.lastIndexOf('issueCa'), 'the old CA did not come back first');
    });

    it('waits with the last step until it is known whether the next CA is clean', async () => {
      const { opened, open } = gate();
      const removal = gate();
      await rotation.start(
        {
          declareCompromised: async () => opened.then(leakedNext),
          issueCa: issues(),
          removeCa: async () => removal.opened.then(() => ({ lines: ['the watch is over'] })),
        },
        { approval: { ...patient, mode: 'automatic' } },
      );
      await rotation.tests.eventually(async () => rotation.names().includes('removeCa'));
      await rotation.handle.signal('declareEmergency', { ...ada, leaked: 'next' });
      await rotation.tests.eventually(async () => rotation.names().includes('declareCompromised'));
      removal.open();
      await rotation.tests.eventually(async () => (await rotation.status()).proved.includes('the watch is over'));
      open();
      assert.equal((await rotation.result()).newFingerprint, 'newer-ca');
      assert.deepEqual(
        rotation.inputsOf('finishCa').map(({ ca }) => ca),
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
    await rotation.start({ gatherExposure, removeCa }, { notifiers, namespaces }, ada);
    await rotation.result();
    const told = rotation.inputsOf('notify').map(({ notification }) => notification as Notification);
    assert.ok(told.every(({ severity }) => severity === 'critical'));
    const lines = told.map(({ title, lines: [line] }) => `${title}: ${line}`).join('\n');
    assert.match(lines, /it is on record which CA is compromised: .*trusted by 2 namespaces \(one, two\)/);
    assert.match(lines, /is trusted: .*trusted by 2 namespaces/);
    assert.match(lines, /every target was moved: .*trusted by 2 namespaces .*no known target uses it/);
    assert.match(lines, /CA old-ca left one: .*trusted by 1 namespace \(two\)/);
    assert.match(lines, /CA old-ca left two: .*trusted by no namespace any more/);
    assert.match((await rotation.status()).exposed!.join(), /trusted by no namespace any more/);
  });
});

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
