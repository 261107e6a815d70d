import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult } from '../../src/domain/rotation.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { untilApprovalIsAsked } from '../../src/sandbox/approval.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { leavesIn, type SecretObject } from '../../src/sandbox/traffic.js';
import { tellIfKnown } from '../../src/temporal/history.js';
import { pendingActivities } from '../../src/temporal/live.js';
import { eventually } from '../support/eventually.js';
import { SandboxRun } from '../support/sandbox-run.js';

const id = caRotationId(booking.authority);
const secretPath = '/api/v1/namespaces/temporal-booking/secrets/temporal-booking-tls';
const deployment = '/apis/apps/v1/namespaces/temporal-booking/deployments/temporal-booking-worker';
const patience = 240_000;

describe('safety 44: the real worker is killed where it is most dangerous, and Temporal restarts, in one CA rotation', () => {
  let run: SandboxRun;
  let sandbox: Sandbox;
  let client: Client;
  let result: CaRotationResult;
  let revisions: number;
  let blows = 0;
  /** Of the application's workers: calls of the rotation worker fail when it is killed. */
  const leaves = new Set<string>();
  /** Without Temporal nobody's call succeeds. */
  let outage: { readonly from: number; readonly to: number };

  before(async () => {
    // Time enough for a blow between the Secret and the stamp.
    run = await SandboxRun.begin(() => ({ timing: { secretPropagation: '4s' }, temporalKeeps: true }));
    ({ sandbox, client } = run);
    await run.everyWorkerPolls();
    const old = await leafInPlace();
    revisions = await revision();
    const [trusted] = run.bundle();
    // At each write of the cloud, once it is taken and before the worker has its answer.
    const update = sandbox.store.update.bind(sandbox.store);
    sandbox.store.update = (change) => {
      const operation = update(change);
      blow();
      return operation;
    };
    const handle = await client.workflow.start('caRotation', {
      workflowId: id,
      taskQueue: 'cert-rotation',
      args: [{ authority: booking.authority }],
    });

    await eventually(async () => (await leafInPlace()) !== old, patience);
    await kill();
    assert.equal(await revision(), revisions, 'the stamp was there already');

    await eventually(
      async () => (await tellIfKnown(client, leafRotationId(booking.target)))?.outcome === 'completed',
      patience,
    );
    const began = Date.now();
    await sandbox.temporal.restart();
    await eventually(async () => tellIfKnown(client, id), patience);
    // Workers come back after what their back-off says.
    outage = { from: began, to: Date.now() + 15_000 };

    const evidence = await untilApprovalIsAsked(client, id);
    await handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence });
    // Whoever takes over finds the removal made, and holds the watch.
    await eventually(async () => ((await removal())?.attempt ?? 0) > 1, patience);
    assert.ok(!run.bundle().includes(trusted!));
    await kill();
    result = (await handle.result()) as CaRotationResult;
    await leafInPlace();
  });
  after(() => run?.stop());

  async function leafInPlace(): Promise<string> {
    const [leaf] = leavesIn((await sandbox.kubernetes.admin.get<SecretObject>(secretPath))!);
    leaves.add(leaf!);
    return leaf!;
  }

  /** Changes of the Deployment that its controller saw. */
  async function revision(): Promise<number> {
    return (await sandbox.kubernetes.admin.get<KubernetesObject>(deployment))!.metadata!.generation!;
  }

  const worker = () => [...sandbox.nodeAgent.pods()].find(([name]) => name.startsWith('cert-rotation-worker-'))?.[1];
  const removal = async () => (await pendingActivities(client, id)).find(({ activity }) => activity === 'removeCa');

  /** SIGKILL to the rotation worker and all its children; the node agent starts it again. */
  function blow(): number {
    const pid = worker()!;
    process.kill(-pid, 'SIGKILL');
    blows += 1;
    return pid;
  }

  async function kill(): Promise<void> {
    const pid = blow();
    await eventually(async () => worker() !== pid && worker(), 60_000);
  }

  it('safety 44: one new CA, which is all that the namespace trusts', (test) => {
    assert.equal(blows, 4);
    assert.equal(result.outcome, 'rotated', result.reason);
    assert.deepEqual(run.bundle(), [result.newFingerprint]);
    test.diagnostic(`SIGKILLs survived ${blows}`);
  });

  it('safety 44: the workload was restarted once', async () => assert.equal((await revision()) - revisions, 1));

  it('safety 44: nothing is left in the keystore but the authority, its CA, what was trusted before, and the record', async () => {
    const secrets = await sandbox.kubernetes.admin.list<KubernetesObject>('/api/v1/namespaces/cert-rotation/secrets');
    const kinds = secrets
      .map(({ metadata }) => /^cert-rotation\.(\w+)\./.exec(metadata!.name!)?.[1])
      .filter((kind) => kind !== undefined);
    assert.deepEqual(
      kinds.toSorted((a, b) => a.localeCompare(b)),
      ['authority', 'ca', 'rotation', 'trust'],
    );
  });

  it('no call of the workers failed but while Temporal was away', async () => {
    const { failedByCode } = await run.measures(booking, { leaves, outage });
    assert.deepEqual(failedByCode, {});
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
