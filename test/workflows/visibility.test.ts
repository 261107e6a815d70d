import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { detailOf } from '../../src/cli/status-detail.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { CaPlan } from '../../src/domain/rotation.js';
import { tell } from '../../src/temporal/history.js';
import { runsCutShort } from '../../src/temporal/running.js';
import { searchAttributesRegistered } from '../../src/temporal/search-attributes.js';
import { rotationPhase, rotationSubject } from '../../src/workflows/messages.js';
import { automatic, evidence, fakeActivities, gate, plan } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

const registration = ['--search-attribute=RotationPhase=Keyword', '--search-attribute=RotationSubject=Keyword'];

describe('what a person sees of a rotation', () => {
  let tests: WorkflowTests;
  before(async () => {
    tests = await WorkflowTests.onDevServer(registration);
  });
  after(() => tests.stop());

  async function start(authority: string, planned: Partial<CaPlan>, overrides = {}): Promise<WorkflowHandle> {
    const resolveCaRotation = async () => plan(authority, { approval: automatic, ...planned });
    tests.use(fakeActivities({ resolveCaRotation, ...overrides }));
    return tests.start('caRotation', caRotationId(authority), { authority });
  }

  const detailsOf = async (handle: WorkflowHandle): Promise<string> =>
    (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;

  it('safety 45: the runs that were cut short, in the order of their ends', async () => {
    const { workflow } = tests.env.client;
    const workflowId = caRotationId('cut');
    const ended: string[] = [];
    for (const reason of ['one', 'another']) {
      const run = await workflow.start('caRotation', { workflowId, taskQueue: 'nobody', args: [] });
      await run.terminate(reason);
      ended.push(run.firstExecutionRunId);
    }
    await workflow.start('caRotation', { workflowId, taskQueue: 'nobody', args: [] });
    const listed = await tests.eventually(async () => {
      const runs = await runsCutShort(tests.env.client, workflowId);
      return runs.length >= 2 && runs;
    });
    assert.deepEqual(listed, ended);
    await workflow.getHandle(workflowId).terminate('the test is over');
  });

  it('every activity and timer of a CA rotation and its leaf rotations says what it does', async () => {
    const manual = { mode: 'manual', deadlineMs: 60_000, remindEveryMs: 30_000 } as const;
    const handle = await start('summaries', { approval: manual, trustSoakMs: 1 });
    await tests.reach(handle, 'approve');
    await handle.signal('approveCaRemoval', { who: 'ann', evidence: evidence().digest });
    await handle.result();
    const child = tests.env.client.workflow.getHandle(leafRotationId('summaries-canary'));
    const histories = await Promise.all([handle.fetchHistory(), child.fetchHistory()]);
    const steps = histories.flatMap(({ events }) =>
      (events ?? []).flatMap((event) => {
        const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
        const timer = event.timerStartedEventAttributes && 'timer';
        const name = activity ?? timer;
        return name ? [{ name, summary: textOf(event.userMetadata?.summary) }] : [];
      }),
    );
    assert.deepEqual(
      steps.filter(({ summary }) => !summary),
      [],
    );
    assert.equal(
      steps.filter(({ name }) => name === 'timer').length,
      4,
      'the soaks, the reminder and the look at what is trusted',
    );
    assert.equal(steps.length, 14 + 8 + 4);
    assert.equal(await (await child.describe()).staticSummary(), 'Move summaries-canary onto CA new-ca');
  });

  it('the current details name the phase, what it waits for, what a person can do, and what is proved', async () => {
    const manual = { mode: 'manual', deadlineMs: 60_000, remindEveryMs: 30_000 } as const;
    const handle = await start('details', { approval: manual });
    await tests.reach(handle, 'approve');
    const details = await detailsOf(handle);
    assert.match(details, /\*\*CA of details\*\*: phase \*\*approve\*\*/);
    assert.match(details, /Waiting for: a person to approve the removal of CA old-ca/);
    assert.match(details, /Next: cert-rotation approve details --who <you> --why <reason> --evidence a{12}/);
    assert.match(details, /Evidence a{64}:\n(- namespace .*\n)+- target canary has a leaf of CA new-ca/);
    assert.match(details, /Cannot be seen: clients that never poll/);
    assert.match(details, /Proved:\n- booking\.acct trusts 1 of 16 CAs/);
    await handle.signal('approveCaRemoval', 'garbage');
    assert.match(await detailsOf(handle), /Problems:\n- Ignored "approve"/);
    await handle.signal('rejectCaRemoval', { who: 'ann' });
    await handle.result();
  });

  it('the detail of a rotation that ended shows the problems that it had, and how to go on', async () => {
    const unknownPollers = ['9@stranger (booking)'];
    const stranger = { gatherEvidence: async () => evidence({ unknownPollers }) };
    const handle = await start('ended', { approval: automatic }, stranger);
    await tests.reach(handle, 'approve');
    await handle.signal('rejectCaRemoval', { who: 'ann', why: 'not now' });
    await handle.result();
    const { client } = tests.env;
    const { details, next, worker } = await detailOf(client, handle.workflowId, await tell(client, handle.workflowId));
    assert.equal(worker, 'live');
    assert.match(details, /Problems:\n- Belongs to no known target: 9@stranger \(booking\)/);
    assert.equal(next, 'cert-rotation rotate ca ended   (goes on with CA new-ca)');
  });

  it('every phase that takes long says what it waits for', async () => {
    const waits: [string, Partial<CaPlan>, string, RegExp][] = [
      ['proveTrust', {}, 'trust', /booking\.acct to trust CA new-ca/],
      ['rollOut', {}, 'leaves', /waits-\d-canary to move \(0 of 1 moved\)/],
      ['gatherEvidence', {}, 'confirm', /evidence from every target/],
      ['removeCa', {}, 'remove', /CA old-ca to leave booking\.acct, and the watch after it/],
    ];
    for (const [index, [activity, planned, phase, waitingFor]] of waits.entries()) {
      const { opened, open } = gate();
      const real = fakeActivities().activities[activity as 'removeCa'];
      const reached = gate();
      const handle = await start(`waits-${index}`, planned, {
        [activity]: async (input: never) => {
          reached.open();
          await opened;
          return real(input);
        },
      });
      await reached.opened;
      const status = await handle.query<{ phase: string; waitingFor: string }>('status');
      assert.equal(status.phase, phase);
      assert.match(status.waitingFor, waitingFor);
      open();
      await handle.result();
    }
  });

  it('a rotation under a made-up id says where the rotation is', async () => {
    const { opened, open } = gate();
    tests.use(fakeActivities({ testConnection: async () => opened }));
    const handle = await tests.start('leafRotation', 'made-up', { target: 'elsewhere' });
    await tests.eventually(async () => (await detailsOf(handle)).includes('**leaf/elsewhere**'));
    open();
    await handle.result();
  });

  it('safety 36: registered search attributes show subject and phase, and can be listed by', async () => {
    assert.equal(await searchAttributesRegistered(tests.env.client), true);
    const handle = await start('searched', { searchAttributes: true });
    await handle.result();
    const { typedSearchAttributes } = await handle.describe();
    assert.equal(typedSearchAttributes.get(rotationSubject), 'CA of searched');
    assert.equal(typedSearchAttributes.get(rotationPhase), 'done');
  });

  it('safety 36: where they are unregistered or nobody can tell, a rotation runs without', async () => {
    const bare = await WorkflowTests.onDevServer();
    try {
      assert.equal(await searchAttributesRegistered(bare.env.client), false);
      bare.use(fakeActivities({ resolveCaRotation: async () => plan('bare', { approval: automatic }) }));
      const handle = await bare.start('caRotation', caRotationId('bare'), { authority: 'bare' });
      await handle.result();
      assert.equal((await handle.describe()).typedSearchAttributes.get(rotationPhase), undefined);
    } finally {
      await bare.stop();
    }
    assert.equal(await searchAttributesRegistered(bare.env.client), false, 'nobody answers');
  });
});

const textOf = (payload: unknown): string | undefined =>
  payload ? defaultPayloadConverter.fromPayload<string>(payload as Payload) : undefined;
