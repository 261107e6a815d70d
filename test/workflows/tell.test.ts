import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { toRow } from '../../src/cli/status-row.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import { notificationEvents, type Notification, type NotificationEvent } from '../../src/domain/notification.js';
import type { CaPlan, RotationStatus } from '../../src/domain/rotation.js';
import { tell } from '../../src/temporal/history.js';
import { automatic, evidence, failing, fakeActivities, plan, untilCancelled } from '../support/fake-activities.js';
import { rootOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('people are told of a rotation', () => {
  let tests: WorkflowTests;
  let told: { notifier: string; notification: Notification }[];
  let count = 0;

  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests?.stop());

  const all = [{ notifier: 'ops', events: notificationEvents }] as const;

  /** A fake world whose notifiers take every message, unless `overrides` say otherwise. */
  function use(overrides: Partial<Activities>) {
    told = [];
    const notify: Activities['notify'] = async (message) => {
      told.push(message);
      return { warnings: [] };
    };
    const fakes = fakeActivities({ notify, ...overrides });
    tests.use(fakes);
    return fakes;
  }

  async function rotateCa(planned: Partial<CaPlan>, overrides: Partial<Activities> = {}) {
    const authority = `authority-${(count += 1)}`;
    const leaf = fakeActivities().activities.resolveLeafRotation;
    const fakes = use({
      resolveCaRotation: async () => plan(authority, { notifiers: all, ...planned }),
      resolveLeafRotation: leaf,
      ...overrides,
    });
    const handle = await tests.start('caRotation', caRotationId(authority), { authority });
    return { authority, fakes, handle };
  }

  async function rotateLeaf(events: readonly NotificationEvent[], overrides: Partial<Activities> = {}) {
    const target = `target-${(count += 1)}`;
    const resolve = fakeActivities().activities.resolveLeafRotation;
    const fakes = use({
      resolveLeafRotation: async (request) => ({
        ...(await resolve(request)),
        notifiers: [{ notifier: 'ops', events }],
      }),
      ...overrides,
    });
    const handle = await tests.start('leafRotation', leafRotationId(target), { target });
    return { target, fakes, handle };
  }

  const events = () => told.map(({ notification }) => notification.event);
  const titles = () => told.map(({ notification }) => notification.title);
  const problemsOf = async (handle: WorkflowHandle) => (await handle.query<RotationStatus>('status')).problems;
  const approve = (handle: WorkflowHandle) =>
    handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence: evidence().digest });

  it('not at all without notifiers: nothing more is scheduled', async () => {
    const { handle, fakes } = await rotateCa({ notifiers: [], approval: automatic });
    await handle.result();
    assert.ok(!fakes.names().includes('notify'));
    const without = await rotateCa({ approval: automatic });
    await without.handle.result();
    assert.deepEqual(
      without.fakes.names().filter((name) => name !== 'notify'),
      fakes.names(),
    );
  });

  it('only by the notifiers that want to hear of it', async () => {
    const notifiers = [
      { notifier: 'ops', events: ['caDone'] },
      { notifier: 'boss', events: ['failed'] },
    ] as const;
    const { handle } = await rotateCa({ notifiers, approval: automatic });
    await handle.result();
    assert.deepEqual(
      told.map(({ notifier, notification }) => [notifier, notification.event]),
      [['ops', 'caDone']],
    );
  });

  it('when a person is to decide: what, until when, who may be locked out, and the commands that decide', async () => {
    const unknownClients = [{ name: 'web', namespace: 'booking.acct', does: ['starts workflows'] }];
    const gatherEvidence = async () => evidence({ unknownPollers: ['1@stranger (booking)'], unknownClients });
    const { authority, handle } = await rotateCa({}, { gatherEvidence });
    await tests.reach(handle, 'approve');
    const [{ notification }] = await tests.eventually(async () => told.length > 0 && (told as [(typeof told)[number]]));
    assert.equal(notification.event, 'approvalWanted');
    assert.match(notification.lines.join('\n'), /from booking\.acct\.[^]*1@stranger[^]*undecided by 20\d\d-/);
    assert.match(notification.lines.join('\n'), /may be locked out: web \(starts workflows in booking\.acct\)/);
    assert.match(notification.lines.join('\n'), /Cannot be seen: clients that never poll[^]*attested by ann/);
    assert.match(notification.lines.join('\n'), /Evidence a{64}[^]*- target canary has a leaf of CA new-ca/);
    assert.deepEqual(notification.commands.slice(1), [
      `cert-rotation approve ${authority} --who <you> --why <reason> --evidence aaaaaaaaaaaa`,
      `cert-rotation reject ${authority} --who <you> --why <reason>`,
    ]);
    assert.deepEqual(notification.workflow?.workflowId, caRotationId(authority));
    await approve(handle);
    await handle.result();
    assert.deepEqual(events(), ['approvalWanted', 'caDone']);
    assert.match(told[1]!.notification.lines.join('\n'), /Approved by ada \(claimed\): all moved; evidence a{64}/);
  });

  it('again at each reminder, as long as there is time to decide', async () => {
    const day = 86_400_000;
    const { handle } = await rotateCa({ approval: { mode: 'manual', deadlineMs: 3 * day, remindEveryMs: day } });
    await assert.rejects(handle.result());
    assert.deepEqual(events(), ['approvalWanted', 'approvalWanted', 'approvalWanted', 'failed']);
    assert.match(titles()[1]!, /^Reminder: /);
    assert.match(told[3]!.notification.lines.join(), /Nobody decided by 20/);
  });

  it('that it is done, with what went wrong on the way', async () => {
    const trustCa = async () => ({ notes: ['The spec of booking.acct lost the fields 16; they were put back.'] });
    const { handle } = await rotateCa({ approval: automatic }, { trustCa });
    await handle.result();
    assert.deepEqual(events(), ['caDone']);
    assert.match(told[0]!.notification.lines.join('\n'), /^The spec of booking\.acct lost the fields 16; they were/m);
  });

  it('that both CAs are kept, and by whom', async () => {
    const { handle } = await rotateCa({});
    await tests.reach(handle, 'approve');
    await handle.signal('rejectCaRemoval', { who: 'bob', why: 'not today' });
    await handle.result();
    assert.match(titles().at(-1)!, /both CAs are kept/);
    assert.match(told.at(-1)!.notification.lines.join(), /bob rejected the removal: not today/);
  });

  it('that a rotation failed, with what happened', async () => {
    const { authority, handle } = await rotateCa({}, { trustCa: failing('CloudForbidden') });
    await assert.rejects(handle.result());
    assert.deepEqual(events(), ['failed']);
    assert.equal(titles()[0], `CA of ${authority}: the rotation failed`);
    assert.deepEqual(told[0]!.notification.lines, ['planted CloudForbidden.']);
    assert.deepEqual(told[0]!.notification.commands, [`cert-rotation status ${authority}`]);
  });

  it('that a removal was undone', async () => {
    const { handle } = await rotateCa({ approval: automatic }, { removeCa: failing('RemovalUndone') });
    await assert.rejects(handle.result());
    assert.deepEqual(events(), ['restored']);
    assert.match(told[0]!.notification.lines.join(), /planted RemovalUndone.*Both CAs are trusted by booking\.acct/);
  });

  it('that a removal could not be undone, which is no restoration', async () => {
    const { handle } = await rotateCa(
      { approval: automatic },
      { removeCa: failing('EvidenceMissing'), restoreTrust: failing('CloudForbidden') },
    );
    await assert.rejects(handle.result());
    assert.deepEqual(events(), ['failed']);
  });

  it('that a target is back on a pair that works, or that a person is needed', async () => {
    const restored = await rotateLeaf(notificationEvents, { rollOut: failing('RolloutFailed') });
    await assert.rejects(restored.handle.result());
    assert.deepEqual(events(), ['restored']);
    assert.match(told[0]!.notification.lines.join(), /planted RolloutFailed.*The previous pair is back/);
    const lost = await rotateLeaf(notificationEvents, {
      rollOut: failing('RolloutFailed'),
      restoreTarget: failing('KubernetesForbidden'),
    });
    await assert.rejects(lost.handle.result());
    assert.deepEqual(events(), ['failed']);
    assert.match(told[0]!.notification.lines.join(), /A person is needed/);
  });

  it('that a leaf rotation failed which left nothing to put back: that is no restoration', async () => {
    const restoreTarget = async () => ({ line: 'Nothing was to be put back.', restored: false });
    const { handle } = await rotateLeaf(notificationEvents, { updateTarget: failing('SecretUnusable'), restoreTarget });
    await assert.rejects(handle.result());
    assert.deepEqual(events(), ['failed']);
    assert.match(told[0]!.notification.lines.join(), /planted SecretUnusable.*Nothing was to be put back/);
    assert.match((await problemsOf(handle)).join(), /Nothing was to be put back/);
  });

  it('of a renewed leaf only where that is asked for, and of a skipped one never', async () => {
    await (await rotateLeaf(['failed'])).handle.result();
    assert.deepEqual(events(), []);
    await (await rotateLeaf(['leafDone'])).handle.result();
    assert.deepEqual(events(), ['leafDone']);
    const skip = async () => ({ consumers: [], warnings: [], skip: 'Not due' });
    await (await rotateLeaf(['leafDone'], { preflightLeaf: skip })).handle.result();
    assert.deepEqual(events(), []);
  });

  it('that it was cancelled, although it was', async () => {
    const { handle } = await rotateCa({}, { trustCa: untilCancelled });
    await tests.reach(handle, 'trust');
    await tests.cancel(handle);
    await assert.rejects(handle.result());
    assert.match(titles()[0]!, /the rotation was cancelled/);
  });

  for (const type of ['NotifierRefused', 'NotifierUnavailable'] as const) {
    it(`but a notifier that fails (${type}) never fails it: the status says so`, async () => {
      const { handle } = await rotateCa({}, { notify: failing(type) });
      await tests.reach(handle, 'approve');
      await approve(handle);
      assert.deepEqual(((await handle.result()) as { outcome: string }).outcome, 'rotated');
      assert.match((await problemsOf(handle)).join('\n'), new RegExp(`ops was not told: planted ${type}`));
    });
  }

  it('but what it failed with is never hidden by a notifier that fails', async () => {
    const { handle } = await rotateCa({}, { trustCa: failing('CloudForbidden'), notify: failing('NotifierRefused') });
    assert.equal(rootOf(await tests.failureOf(handle)).message, 'planted CloudForbidden.');
  });

  it('but the question stands while a notifier does not answer, and the status shows it', async () => {
    const { handle } = await rotateCa({}, { notify: untilCancelled });
    await tests.reach(handle, 'approve');
    const row = await tests.eventually(async () => {
      const history = await tell(tests.env.client, handle.workflowId);
      return history.steps.at(-1)?.activity === 'notify' && toRow(handle.workflowId, history);
    });
    assert.equal(row.phase, 'approve');
    assert.match(row.now, /^waits for a person: cert-rotation approve/);
    await handle.terminate('the test is over');
  });

  it('and a recipient that was refused while others were not is in the status', async () => {
    const notify = async () => ({ warnings: ['ops: the server refused a@acme.example; the others got it'] });
    const { handle } = await rotateCa({ approval: automatic }, { notify });
    await handle.result();
    assert.match((await problemsOf(handle)).join(), /refused a@acme\.example/);
  });
});
