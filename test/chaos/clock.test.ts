import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { RotationStatus } from '../../src/domain/rotation.js';
import { booking } from '../../src/sandbox/configuration.js';
import { rotateCa, rotateLeaf } from '../../src/sandbox/demo/rotations.js';
import { measure } from '../../src/sandbox/gateway/measures.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';
import { everyWorkerPolls, leavesIn, targetSecrets } from '../../src/sandbox/traffic.js';
import { readCertificates } from '../../src/x509/read.js';

const progress = (line: string) => void process.stderr.write(`${line}\n`);
const minute = 60_000;

describe('the clock of the rotation worker is off', () => {
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;
  let from: number;
  const leaves = new Set<string>();
  const clock = () => join(dir, 'clock-off-by');
  const offBy = (ms: number) => writeFile(clock(), String(ms));

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    await offBy(0);
    sandbox = await startSandbox({
      dir: join(dir, 'sandbox'),
      progress,
      bookingsPerSecond: 1,
      workerEnvironment: {
        NODE_OPTIONS: `--import=${fileURLToPath(new URL('../support/skewed-clock.js', import.meta.url))}`,
        CLOCK_OFF_BY: clock(),
      },
    });
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

  const bundle = () =>
    readCertificates(readTrust(sandbox.store.get(booking.namespace).spec).bundlePem).map((ca) => ca.fingerprint);
  async function noteLeaves(): Promise<void> {
    for (const leaf of (await targetSecrets(sandbox)).flatMap(leavesIn)) leaves.add(leaf);
  }
  async function noCallFailed(): Promise<void> {
    const record = await sandbox.gateway.record();
    const { failedByCode, workerDowntimeMs } = measure(record, {
      ...booking,
      leaves,
      traffic: { from, to: record.at(-1)!.t },
    });
    assert.deepEqual(failedByCode, {});
    assert.equal(workerDowntimeMs, 0);
  }

  for (const [name, ms] of [
    ['four minutes behind', -4 * minute],
    ['four minutes ahead', 4 * minute],
  ] as const)
    it(`${name}: a CA rotation and a leaf rotation end as ever, and no call fails`, async () => {
      await offBy(ms);
      const [old] = bundle();
      const { result } = await rotateCa(client, progress);
      await noteLeaves();
      assert.deepEqual([result.outcome, bundle()], ['rotated', [result.newFingerprint]]);
      assert.notEqual(result.newFingerprint, old);
      const { proved } = await client.workflow
        .getHandle(caRotationId(booking.authority))
        .query<RotationStatus>('status');
      assert.match(proved.join('\n'), /refuses a leaf of CA \w{8} that it admitted before the removal/);
      await rotateLeaf(client, progress);
      await noteLeaves();
      await noCallFailed();
    });

  it('by more than five minutes: refused by name, before anything is changed', async () => {
    const trusted = bundle();
    for (const ms of [-6 * minute, 6 * minute]) {
      await offBy(ms);
      const failure: unknown = await rotateCa(client, progress).catch((error: unknown) => error);
      assert.match(String(failure), /Nothing was changed: the clock here is 3\d\d s (behind|ahead of)/);
    }
    assert.deepEqual(bundle(), trusted);
  });
});
