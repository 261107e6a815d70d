import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { booking } from '../../src/sandbox/configuration.js';
import { followCa, rotateCa } from '../../src/sandbox/demo/rotations.js';
import type { GatewayEvent } from '../../src/sandbox/gateway/index.js';
import { measure, type Measures } from '../../src/sandbox/gateway/measures.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';
import { withKinds, type Kinds } from '../../src/sandbox/kinds.js';
import { applyManifest } from '../../src/sandbox/manifests.js';
import { findPrograms } from '../../src/sandbox/programs.js';
import { everyWorkerPolls, leavesIn, targetSecrets } from '../../src/sandbox/traffic.js';
import { tell } from '../../src/temporal/history.js';
import { readCertificates } from '../../src/x509/read.js';
import { eventually } from '../support/eventually.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { placesWithKeys, recordedKeys, type Place } from '../support/key-scan.js';
import { startMailServer, type MailServer } from '../support/mail-server.js';
import { replaceRotationWorker } from '../support/rotation-worker.js';
import { makeServerCertificate } from '../support/server-certificate.js';
import { runStarter } from '../support/starter.js';
import { tracesLeft, tracesOf, watchProcesses, witnessedWorker, type ProcessWatch } from '../support/witness.js';

const id = caRotationId(booking.authority);
const progress = (line: string) => void process.stderr.write(`${line}\n`);
const [user, password] = ['rotation', 'correct-horse-battery-staple'];

/** Rotations of one CA after the other, on one sandbox; with rotation.test.ts, every kind of every seam is in one of them. */
const first: Kinds = { cloud: 'tcld', issuer: 'certstrap', probe: 'temporal-cli', rollout: 'rolling' };
const second: Kinds = { cloud: 'tcld', issuer: 'tcld', probe: 'temporal-cli', rollout: 'scale' };

describe('CA rotations by the tools of the article, the first of which the watch over expiring certificates starts', () => {
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;
  let mail: MailServer;
  let hook: HttpReceiver;
  let from: number;
  let processes: ProcessWatch;
  const leaves = new Set<string>();
  const keysFile = () => join(dir, 'recorded-keys');

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    process.env['TMPDIR'] = join(dir, 'sandbox', 'tmp');
    await mkdir(process.env['TMPDIR'], { recursive: true, mode: 0o700 });
    processes = watchProcesses();
    sandbox = await startSandbox({
      dir: join(dir, 'sandbox'),
      progress,
      kinds: first,
      // Programs take their time on a busy machine.
      timing: { proof: { successes: 2, over: '1s', deadline: '2m' } },
      bookingsPerSecond: 1,
      // Six days are left of both.
      ages: { ca: 359, leaves: 24 },
      notifiers: await notifiers(),
      workerEnvironment: witnessedWorker(keysFile()),
    });
    client = new Client({
      connection: await Connection.connect({ address: sandbox.temporal.address }),
      namespace: booking.namespace,
    });
    from = await everyWorkerPolls(sandbox);
    await noteLeaves();
  });
  after(async () => {
    await processes?.stop();
    await client?.connection.close();
    await sandbox?.stop();
    await Promise.all([mail?.stop(), hook?.stop()]);
    await rm(dir, { recursive: true, force: true });
  });

  /** A mail server and a receiver of webhooks, both real, and what the configuration says of them. */
  async function notifiers(): Promise<object> {
    const certificate = makeServerCertificate(dir);
    const passwordFile = join(dir, 'mail-password');
    await writeFile(passwordFile, password);
    [mail, hook] = await Promise.all([startMailServer({ certificate, user, password }), startHttpReceiver()]);
    const auth = { user, password: { file: passwordFile } };
    return {
      'ops-mail': {
        kind: 'smtp',
        host: 'localhost',
        port: mail.port,
        serverRootsFile: certificate.certificateFile,
        auth,
        from: 'rotation@acme.example',
        to: ['ops@acme.example'],
      },
      'ops-hook': { kind: 'webhook', url: hook.address },
    };
  }

  async function noteLeaves(): Promise<void> {
    for (const leaf of (await targetSecrets(sandbox)).flatMap(leavesIn)) leaves.add(leaf);
  }

  /** What a person types, in a shell of the sandbox. */
  async function cert(...args: readonly string[]): Promise<void> {
    const env = {
      PATH: process.env['PATH'],
      HOME: dir,
      CERT_ROTATION_CONFIG: sandbox.configFile,
      TEMPORAL_ADDRESS: sandbox.temporal.address,
      TEMPORAL_TLS: 'false',
    };
    const { code, stderr } = await runStarter(args, env);
    assert.equal(code, 0, stderr);
  }

  /** The configuration is another one, and the worker that reads it is, too. */
  async function changeKinds(kinds: Kinds): Promise<void> {
    const config = parse(await readFile(sandbox.configFile, 'utf8')) as Record<string, object>;
    const changed = withKinds(config, kinds, await findPrograms(kinds, progress), booking);
    await writeFile(sandbox.configFile, stringify(changed));
    if (kinds.rollout === 'scale') await applyManifest(sandbox.kubernetes.admin, 'deploy/rbac-scale.yaml');
    await replaceRotationWorker(sandbox);
  }

  const told = (event: string) => ({
    mails: mail.mails.filter(({ raw }) => raw.includes(`X-Cert-Rotation-Event: ${event}`)),
    hooks: hook.taken
      .map(({ body }) => JSON.parse(body) as { type: string; data: { title: string; certificates?: object[] } })
      .filter(({ type }) => type === event),
  });

  describe('the watch over expiring certificates, on the schedule that `schedule apply` makes', () => {
    before(async () => {
      await cert('schedule', 'apply');
      await looked(1);
      await eventually(async () => (await tell(client, id)).steps.at(-1)?.phase === 'trust', 120_000);
      await replaceRotationWorker(sandbox);
      await looked(2);
    });

    async function looked(times: number): Promise<void> {
      await cert('schedule', 'trigger', 'expiry');
      const query = 'WorkflowType = "expiryNotices" AND ExecutionStatus = "Completed"';
      await eventually(async () => (await client.workflow.count(query)).count === times, 180_000);
    }

    it('tells of the CA and of every leaf that expire once, though the worker starts anew and it looks again', () => {
      const { mails, hooks } = told('expiry');
      assert.deepEqual([mails.length, hooks.length], [1, 1]);
      assert.ok(mails[0]!.secure);
      assert.deepEqual(mails[0]!.to, ['ops@acme.example']);
      const { title, certificates } = hooks[0]!.data;
      assert.match(title, /expires? in \d/);
      assert.equal(certificates!.length, 3);
      const places = JSON.stringify(certificates);
      for (const place of [booking.namespace, booking.authority, booking.target, 'rotation-worker'])
        assert.ok(places.includes(place), `${place} is not among ${places}`);
    });

    it('starts the rotation of the CA, once', async () => {
      assert.equal((await client.workflow.count(`WorkflowId = "${id}"`)).count, 1);
      assert.equal(told('failed').mails.length, 0);
    });
  });

  interface Ended {
    readonly result: CaRotationResult;
    readonly status: RotationStatus;
    readonly record: readonly GatewayEvent[];
    readonly measures: Measures;
    /** When the last uses of the old CA were looked for, after the approval and before the removal. */
    readonly removing: number;
  }

  async function end({ result }: { result: CaRotationResult }): Promise<Ended> {
    for (const { newFingerprint } of result.leaves) leaves.add(newFingerprint!);
    await noteLeaves();
    const { steps } = await tell(client, id);
    const traffic = { from, to: Date.now() };
    const record = await sandbox.gateway.record();
    return {
      result,
      record,
      status: await client.workflow.getHandle(id).query<RotationStatus>('status'),
      measures: measure(record, { ...booking, leaves, traffic, probesShowNoLeaf: true }),
      removing: Date.parse(steps.find(({ activity }) => activity === 'markRetiring')!.startedAt),
    };
  }

  function keepsItsPromises(ended: () => Ended): void {
    it('every worker is on a leaf of the new CA before the old one is removed, and none is refused after', () => {
      const { record, removing, result } = ended();
      const news = new Set(result.leaves.map(({ newFingerprint }) => newFingerprint));
      assert.equal(news.size, 2);
      const polls = record.filter(
        ({ kind, t, method }) => kind === 'rpc-start' && t > removing && method?.startsWith('Poll'),
      );
      assert.ok(polls.length > 0);
      assert.deepEqual(
        polls.filter(({ leaf }) => !news.has(leaf)),
        [],
      );
      assert.deepEqual(
        record.filter(({ kind, t, leaf }) => kind === 'refused' && t > removing && news.has(leaf)),
        [],
      );
    });

    it('the removal was proved and watched', () => {
      const proved = ended().status.proved.join('\n');
      assert.match(proved, /refuses a leaf of CA \w{8} that it admitted before the removal/);
      assert.match(proved, /Everybody was still there at the end of the watch/);
    });

    it('the namespace ends with the new CA alone, the wanted filters, and every field that tcld does not know', () => {
      const { result, status } = ended();
      const { spec } = sandbox.store.get(booking.namespace);
      const { bundlePem, filters } = readTrust(spec);
      const bundle = readCertificates(bundlePem).map(({ fingerprint }) => fingerprint);
      assert.deepEqual([result.outcome, bundle], ['rotated', [result.newFingerprint]]);
      assert.deepEqual(filters, [{ commonName: 'temporal-booking.sdvdw' }, { commonName: 'cert-rotation-worker' }]);
      assert.ok(Buffer.from(spec).includes('a field of tomorrow'));
      assert.match(status.problems.join('\n'), /lost the fields .*; they were put back/);
    });

    it('its connections were tested by `temporal workflow list`', () => {
      const tests = ended().record.filter(
        ({ method, leaf }) => method === 'ListWorkflowExecutions' && !leaves.has(leaf!),
      );
      assert.ok(tests.length > 0);
    });
  }

  const newCa = ({ result }: Ended): X509Certificate => {
    const { bundlePem } = readTrust(sandbox.store.get(booking.namespace).spec);
    const ca = readCertificates(bundlePem).find(({ fingerprint }) => fingerprint === result.newFingerprint);
    return new X509Certificate(ca!.pem);
  };

  describe(`made of ${Object.values(first).join(', ')}`, () => {
    let ended: Ended;
    before(async () => {
      ended = await end(await followCa(client, progress));
    });

    keepsItsPromises(() => ended);

    it('the CA is one of certstrap', () => assert.equal(newCa(ended).serialNumber, '01'));

    it('no call of a worker or starter failed', () => assert.deepEqual(ended.measures.failedByCode, {}));

    it('people were asked for the approval, and told of the end', async () => {
      const { mails, hooks } = told('approvalWanted');
      assert.deepEqual([mails.length, hooks.length], [1, 1]);
      await eventually(async () => told('caDone').mails.length === 1 && told('caDone').hooks.length === 1);
    });
  });

  describe(`made of ${Object.values(second).join(', ')}`, () => {
    let ended: Ended;
    before(async () => {
      assert.equal((await tell(client, id)).outcome, 'completed', 'the first rotation did not end');
      await changeKinds(second);
      ended = await end(await rotateCa(client, progress));
    });

    keepsItsPromises(() => ended);

    it('the CA is one of tcld', () => assert.match(newCa(ended).subject, /^O=Temporal Booking CA g3 [^\n]*$/));

    it('no call of a worker or starter failed: who is scaled to 0 ends its work before', () =>
      assert.deepEqual(ended.measures.failedByCode, {}));
  });

  describe('afterwards', () => {
    it('no leaf, no previous pair and no CA but the last one is left in the keystore', async () => {
      const secrets = await sandbox.kubernetes.admin.list('/api/v1/namespaces/cert-rotation/secrets');
      const withKeys = secrets.filter((secret) => 'key' in ((secret as { data?: object }).data ?? {}));
      const entries = withKeys
        .map(({ metadata }) => metadata!.name!)
        .filter((name) => name.startsWith('cert-rotation.'));
      const { bundlePem } = readTrust(sandbox.store.get(booking.namespace).spec);
      const [ca] = readCertificates(bundlePem);
      assert.deepEqual(entries, [`cert-rotation.ca.temporal-booking.${ca!.fingerprint.slice(0, 16)}`]);
    });

    it('safety 7: nothing is left in the temporary folders that the programs worked in', async () => {
      const entries = await readdir(sandbox.dir, { recursive: true });
      assert.ok(
        entries.some((path) => /\.tmp\/cert-rotation-\d+$/.test(path)),
        'no program worked in one',
      );
      assert.deepEqual(
        entries.filter((path) => /\/cert-rotation-\d+\//.test(path)),
        [],
      );
    });

    it('safety 8: no key that a program made is in a history, log, argument, environment, file, object, metric, mail or webhook', async () => {
      const keys = await recordedKeys(keysFile());
      assert.ok(keys.length >= 8, `only ${keys.length} keys were recorded`);
      const received: readonly Place[] = [
        // Long lines of a mail are broken (RFC 2045, 6.7).
        ...mail.mails.map(({ raw }) => ({ name: 'a mail', content: Buffer.from(raw.replaceAll('=\r\n', '')) })),
        ...hook.taken.map((request) => ({ name: 'a webhook', content: Buffer.from(JSON.stringify(request)) })),
      ];
      const places = [...(await tracesOf(sandbox, [client])), ...(await processes.places()), ...received];
      assert.deepEqual(placesWithKeys(places, keys, [...tracesLeft, /^a mail$/, /^a webhook$/]), []);
    });
  });
});
