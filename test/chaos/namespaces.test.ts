import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { caRotationId, defaultTaskQueue } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import { untilApprovalIsAsked } from '../../src/sandbox/approval.js';
import { booking } from '../../src/sandbox/configuration.js';
import { SandboxRun } from '../support/sandbox-run.js';
import { addTeam, orders } from '../support/team.js';

const both = [booking, orders] as const;

describe('one rotation worker for several namespaces, each with a CA of its own, only one of which lets it in', () => {
  let run: SandboxRun;

  before(async () => {
    run = await SandboxRun.begin();
    await addTeam(run.sandbox, orders);
    await run.everyWorkerPolls();
  });
  after(() => run?.stop());

  async function rotated(authority: string): Promise<CaRotationResult> {
    const workflowId = caRotationId(authority);
    const handle = await run.client.workflow.start('caRotation', {
      workflowId,
      taskQueue: defaultTaskQueue,
      args: [{ authority }],
    });
    const evidence = await untilApprovalIsAsked(run.client, workflowId);
    if (evidence) await handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence });
    return (await handle.result()) as CaRotationResult;
  }

  it('a leaf of the other namespace is rotated, every pod proved to poll there', async () => {
    const { target } = orders;
    const result = await run.client.workflow.execute('leafRotation', {
      workflowId: `leaf/${target}`,
      taskQueue: defaultTaskQueue,
      args: [{ target }],
    });
    assert.equal((result as LeafRotationResult).outcome, 'rotated');
    await run.noteLeaves();
  });

  it('both CAs are rotated at the same time', async () => {
    const ended = await Promise.all(both.map(({ authority }) => rotated(authority)));
    for (const [index, { namespace }] of both.entries()) {
      assert.equal(ended[index]!.outcome, 'rotated');
      assert.deepEqual(run.bundle(namespace), [ended[index]!.newFingerprint]);
    }
    await run.noteLeaves();
  });

  it('no call of a worker or starter failed in either', async () => {
    for (const place of both) {
      const { failedByCode, workerDowntimeMs } = await run.measures(place);
      assert.deepEqual([failedByCode, workerDowntimeMs], [{}, 0], place.namespace);
    }
  });

  it('the rotation looked into the other namespace with leaves of its CAs that no target ever had', async () => {
    const looks = (await run.sandbox.gateway.record()).filter(
      ({ kind, namespace, method }) =>
        kind === 'rpc-start' && namespace === orders.namespace && method === 'DescribeTaskQueue',
    );
    assert.ok(looks.length > 0);
    assert.deepEqual(
      looks.filter(({ leaf }) => run.leaves.has(leaf!)),
      [],
    );
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
