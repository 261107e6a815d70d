import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import { caRotationId, defaultTaskQueue } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import { untilApprovalIsAsked } from '../../src/sandbox/approval.js';
import { booking } from '../../src/sandbox/configuration.js';
import { measure } from '../../src/sandbox/gateway/measures.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';
import { everyWorkerPolls, leavesIn, targetSecrets } from '../../src/sandbox/traffic.js';
import { readCertificates } from '../../src/x509/read.js';
import { addOrders, orders } from '../support/second-namespace.js';

const both = [booking, orders] as const;

describe('one rotation worker for several namespaces, each with a CA of its own, only one of which lets it in', () => {
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;
  let from: number;
  const leaves = new Set<string>();
  const results = new Map<string, CaRotationResult>();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    sandbox = await startSandbox({
      dir: join(dir, 'sandbox'),
      progress: (line) => process.stderr.write(`${line}\n`),
      bookingsPerSecond: 1,
    });
    await addOrders(sandbox);
    client = new Client({
      connection: await Connection.connect({ address: sandbox.temporal.address }),
      namespace: booking.namespace,
    });
    from = await everyWorkerPolls(sandbox);
    await noteLeaves();
  });
  after(async () => {
    await client?.connection.close();
    await sandbox?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const bundle = (namespace: string) =>
    readCertificates(readTrust(sandbox.store.get(namespace).spec).bundlePem).map((ca) => ca.fingerprint);
  async function noteLeaves(): Promise<void> {
    for (const leaf of (await targetSecrets(sandbox)).flatMap(leavesIn)) leaves.add(leaf);
  }

  async function rotated(authority: string): Promise<CaRotationResult> {
    const workflowId = caRotationId(authority);
    const handle = await client.workflow.start('caRotation', {
      workflowId,
      taskQueue: defaultTaskQueue,
      args: [{ authority }],
    });
    const evidence = await untilApprovalIsAsked(client, workflowId);
    if (evidence) await handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence });
    return (await handle.result()) as CaRotationResult;
  }

  it('a leaf of the other namespace is rotated, every pod proved to poll there', async () => {
    const { target } = orders;
    const run = client.workflow.execute('leafRotation', {
      workflowId: `leaf/${target}`,
      taskQueue: defaultTaskQueue,
      args: [{ target }],
    });
    assert.equal(((await run) as LeafRotationResult).outcome, 'rotated');
    await noteLeaves();
  });

  it('both CAs are rotated at the same time', async () => {
    const ended = await Promise.all(both.map(({ authority }) => rotated(authority)));
    for (const [index, { authority, namespace }] of both.entries()) {
      results.set(authority, ended[index]!);
      assert.equal(ended[index]!.outcome, 'rotated');
      assert.deepEqual(bundle(namespace), [ended[index]!.newFingerprint]);
    }
    await noteLeaves();
  });

  it('no call of a worker or starter failed in either', async () => {
    const record = await sandbox.gateway.record();
    for (const { namespace, taskQueue } of both) {
      const traffic = { from, to: record.findLast((event) => event.namespace === namespace)!.t };
      const { failedByCode, workerDowntimeMs } = measure(record, { namespace, taskQueue, leaves, traffic });
      assert.deepEqual([failedByCode, workerDowntimeMs], [{}, 0], namespace);
    }
  });

  it('the rotation looked into the other namespace with leaves of its CAs that no target ever had', async () => {
    const looks = (await sandbox.gateway.record()).filter(
      ({ kind, namespace, method }) =>
        kind === 'rpc-start' && namespace === orders.namespace && method === 'DescribeTaskQueue',
    );
    assert.ok(looks.length > 0);
    assert.deepEqual(
      looks.filter(({ leaf }) => leaves.has(leaf!)),
      [],
    );
  });
});
