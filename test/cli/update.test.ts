import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { NoWorker } from '../../src/cli/exit.js';
import { sendUpdate } from '../../src/cli/update.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult } from '../../src/domain/rotation.js';
import { fakeActivities, gate } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('what a command tells a rotation', () => {
  let tests: WorkflowTests;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  it('may be taken after the command gave up waiting: its error says so, and how to see it', async () => {
    const { opened, open } = gate();
    const facts = { trustedBy: [], moved: [] };
    tests.use(fakeActivities({ abortFacts: async () => opened.then(() => facts) }));
    const workflowId = caRotationId('slow');
    const handle = await tests.start('caRotation', workflowId, { authority: 'slow' });
    await tests.reach(handle, 'approve');
    const sent = { action: 'abort', who: 'ann', why: 'not now' };
    const update = { name: 'intervene', sent, withinMs: 500 };
    const error: unknown = await sendUpdate(tests.env.client, workflowId, update).catch((reason: unknown) => reason);
    open();
    assert.ok(error instanceof NoWorker);
    assert.match(error.message, /not known whether it was taken; it may still be.*`cert-rotation status` before/);
    assert.doesNotMatch(error.message, /not taken/);
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'aborted');
  });
});
