import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import type { RotationRecord } from '../../src/domain/audit.js';
import type { Evidence } from '../../src/domain/evidence.js';
import { createKeystore } from '../../src/keystore/index.js';
import { booking } from '../../src/sandbox/configuration.js';
import { runDemo, type DemoResult } from '../../src/sandbox/demo/index.js';
import type { GatewayEvent } from '../../src/sandbox/gateway/index.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';
import { tell } from '../../src/temporal/history.js';
import { readCertificates } from '../../src/x509/read.js';
import { eventually } from '../support/eventually.js';
import { filesOf, placesWithKeys, recordedKeys, type Place } from '../support/key-scan.js';
import { runStarter } from '../support/starter.js';
import { temporalCli, type TemporalCli } from '../support/temporal-cli.js';
import { tracesLeft, tracesOf, watchProcesses, witnessedWorker } from '../support/witness.js';

describe('a leaf rotation, a CA rotation and a scheduled rotation under steady traffic', () => {
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;
  let result: DemoResult;
  let record: readonly GatewayEvent[];
  let withOldLeaf: TemporalCli;
  let processes: readonly Place[];
  const keysFile = () => join(dir, 'recorded-keys');

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    process.env['TMPDIR'] = join(dir, 'sandbox', 'tmp');
    await mkdir(process.env['TMPDIR'], { recursive: true, mode: 0o700 });
    const witness = watchProcesses();
    sandbox = await startSandbox({
      dir: join(dir, 'sandbox'),
      progress: (line) => process.stderr.write(`${line}\n`),
      workerEnvironment: witnessedWorker(keysFile()),
    });
    withOldLeaf = await temporalCli(sandbox, join(dir, 'old-leaf'));
    await withOldLeaf('workflow', 'list');
    result = await runDemo(sandbox, (line) => process.stderr.write(`${line}\n`));
    record = await sandbox.gateway.record();
    processes = await witness.places();
    await witness.stop();
    client = new Client({
      connection: await Connection.connect({ address: sandbox.temporal.address }),
      namespace: booking.namespace,
    });
  });
  after(async () => {
    await client?.connection.close();
    await sandbox?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('no call of a worker or starter fails', () => assert.deepEqual(result.failedByCode, {}));

  it('no moment passes without a worker that polls', () => assert.equal(result.workerDowntimeMs, 0));

  it('every booking that was started is completed', () => {
    assert.equal(result.workflowsCompleted, result.workflowsStarted);
    assert.ok(result.workflowsStarted > 500, `only ${result.workflowsStarted} bookings were started`);
  });

  it('every worker connection is on a leaf of the new CA before the old CA is removed, and none is refused after', () => {
    const trustChanges = record.filter(({ kind }) => kind === 'trust-effective').slice(-3);
    const removedAt = trustChanges[0]!.t;
    const issuers = new Set(
      record
        .filter(({ kind, t, method }) => kind === 'rpc-start' && t > removedAt && method?.startsWith('Poll'))
        .map(({ issuer }) => issuer),
    );
    assert.equal(issuers.size, 1, `polls after the removal come with leaves of ${[...issuers].join(' and ')}`);
    const workers = new Set(record.filter(({ method }) => method?.startsWith('Poll')).map(({ leaf }) => leaf));
    const refused = record.filter(({ kind, t, leaf }) => kind === 'refused' && t > removedAt && workers.has(leaf));
    assert.deepEqual(refused, []);
  });

  it('the namespace ends with the new CA alone, the wanted filters, and every field that our protos do not know', () => {
    const { spec } = sandbox.store.get(booking.namespace);
    const { bundlePem, filters, enabled } = readTrust(spec);
    assert.deepEqual(
      readCertificates(bundlePem).map((ca) => ca.fingerprint),
      [result.ca.newFingerprint],
    );
    assert.deepEqual(filters, [{ commonName: 'temporal-booking.sdvdw' }, { commonName: 'cert-rotation-worker' }]);
    assert.equal(enabled, true);
    assert.ok(Buffer.from(spec).includes('a field of tomorrow'));
  });

  it('nothing is left in the keystore but the authority, its one CA, what the namespace trusted before, and the record', async () => {
    const secrets = await sandbox.kubernetes.admin.list('/api/v1/namespaces/cert-rotation/secrets');
    const entries = secrets.map(({ metadata }) => metadata!.name!).filter((name) => name.startsWith('cert-rotation.'));
    assert.deepEqual(entries.map((name) => name.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'run')).sort(), [
      'cert-rotation.authority.temporal-booking',
      `cert-rotation.ca.temporal-booking.${result.ca.newFingerprint!.slice(0, 16)}`,
      'cert-rotation.rotation.temporal-booking.run',
      `cert-rotation.trust.temporal-booking.${booking.namespace}`,
    ]);
  });

  it("safety 27, 45: the worker's log is an unbroken chain of what was changed, and the record is beside the authority", async () => {
    const env = { PATH: process.env['PATH'], HOME: dir, CERT_ROTATION_CONFIG: sandbox.configFile };
    const audit = async (...args: string[]) => {
      const { code, stdout, stderr } = await runStarter(['audit', ...args, '-o', 'json'], env);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as unknown;
    };
    const logs = await filesOf(sandbox.dir, (path) => !/cert-rotation-worker.*\.log$/.test(path));
    const log = join(dir, 'worker.log');
    await writeFile(log, Buffer.concat(logs.map(({ content }) => content)));
    const [{ events, broken }] = (await audit('verify', log)) as [{ events: number; broken: string | null }];
    assert.equal(broken, null);
    assert.ok(events >= 12, `only ${events} events`);
    const shown = (await audit('show', booking.authority)) as { records: RotationRecord[]; broken: string | null };
    assert.deepEqual([shown.records.length, shown.broken], [1, null]);
    assert.equal(shown.records[0]!.result?.newFingerprint, result.ca.newFingerprint);
  });

  it('`temporal workflow list` works with the new certificate, and fails with the old one', async () => {
    const withNewLeaf = await temporalCli(sandbox, join(dir, 'new-leaf'));
    assert.match(await withNewLeaf('workflow', 'list', '--limit=1'), /book/);
    await assert.rejects(withOldLeaf('workflow', 'list', '--limit=1'));
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () => {
    const keys = await recordedKeys(keysFile());
    const used = `${result.leaf.newFingerprint} and ${result.ca.newFingerprint}`;
    assert.ok(keys.length >= 8, `only ${keys.length} keys were recorded, although the run made ${used} and more`);
    const places = [...(await tracesOf(sandbox, [client])), ...processes];
    assert.deepEqual(placesWithKeys(places, keys, tracesLeft), []);
  });

  it('safety 8: the recorded keys are those of the certificates in use', async () => {
    const scalars = (await recordedKeys(keysFile())).map((key) => key.export({ format: 'jwk' }).d);
    type Secret = { readonly data: Readonly<Record<string, string>> };
    const path = '/api/v1/namespaces/temporal-booking/secrets/temporal-booking-tls';
    const { data } = (await sandbox.kubernetes.admin.get(path)) as Secret;
    const inUse = createPrivateKey(Buffer.from(data['tls.key']!, 'base64').toString()).export({ format: 'jwk' }).d;
    assert.ok(scalars.includes(inUse));
  });

  describe('driven by the real `temporal` command alone, as the README says', () => {
    const runsOf = async (workflowId: string) => (await client.workflow.count(`WorkflowId = "${workflowId}"`)).count;
    const start = (cli: TemporalCli, type: string, id: string, input: object) =>
      cli(
        'workflow',
        'start',
        `--type=${type}`,
        '--task-queue=cert-rotation',
        `--workflow-id=${id}`,
        `--input=${JSON.stringify(input)}`,
      );

    it('safety 29: two starts under random ids make one rotation, and both report it', async () => {
      const cli = await temporalCli(sandbox, join(dir, 'new-leaf'));
      const before = await runsOf('leaf/rotation-worker');
      const ids = ['from-a-script', 'from-the-ui'];
      await Promise.all(ids.map((id) => start(cli, 'leafRotation', id, { target: 'rotation-worker' })));
      const results = await Promise.all(ids.map((id) => client.workflow.getHandle(id).result()));
      assert.deepEqual(results[0], results[1]);
      assert.equal((results[0] as { outcome: string }).outcome, 'rotated');
      assert.equal(await runsOf('leaf/rotation-worker'), before + 1);
    });

    it('a CA rotation is started, approved by signal, and replaces the CA', async () => {
      const cli = await temporalCli(sandbox, join(dir, 'new-leaf'));
      await start(cli, 'caRotation', 'yearly', { authority: booking.authority });
      const id = 'ca/temporal-booking';
      while (!(await asks(id))) await wait(500);
      const { digest: evidence } = (await tell(client, id)).results['gatherEvidence'] as Evidence;
      const decision = JSON.stringify({ who: 'ada', why: 'all workers moved', evidence });
      await cli('workflow', 'signal', '--name=approveCaRemoval', `--workflow-id=${id}`, `--input=${decision}`);
      const ended = (await client.workflow.getHandle('yearly').result()) as { newFingerprint: string };
      const { bundlePem } = readTrust(sandbox.store.get(booking.namespace).spec);
      assert.deepEqual(
        readCertificates(bundlePem).map((ca) => ca.fingerprint),
        [ended.newFingerprint],
      );
      assert.notEqual(ended.newFingerprint, result.ca.newFingerprint);
    });

    async function asks(workflowId: string): Promise<boolean> {
      const told = await tell(client, workflowId);
      if (told.outcome !== 'running' && told.result !== undefined) {
        const { newFingerprint } = told.result as { newFingerprint: string };
        return newFingerprint !== result.ca.newFingerprint && assert.fail(`${workflowId} ended unasked`);
      }
      const last = told.steps.at(-1);
      return told.waiting && last?.activity === 'gatherEvidence' && last.state === 'done';
    }
  });

  it('safety 6: a worker that starts removes from the keystore what a rotation left behind', async () => {
    const { admin } = sandbox.kubernetes;
    const config = { kind: 'kubernetes', namespace: 'cert-rotation', allowPlaintext: true } as const;
    const keystore = createKeystore(config, { kubernetes: admin });
    await keystore.create('leaf.gone.run', { owner: 'leaf/gone', expiresAt: '2020-01-01T00:00:00Z' });
    const pods = '/api/v1/namespaces/cert-rotation/pods';
    for (const { metadata } of await admin.list(pods)) await admin.delete(`${pods}/${metadata!.name}`);
    await eventually(async () => (await keystore.get('leaf.gone.run')) === undefined, 60_000);
  });
});
