import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { followClientPair, type ClientPair } from '../../src/sandbox/client-pair.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { readCertificates } from '../../src/x509/read.js';
import { eventually } from '../support/eventually.js';
import { recordedKeys, scan } from '../support/key-scan.js';
import { SandboxRun } from '../support/sandbox-run.js';
import { runStarter, type Ran } from '../support/starter.js';
import { recordingKeys } from '../support/witness.js';

/** So long after it was made the first CA expires, and with it every leaf: the sandbox is up by then. */
const livesMs = 100_000;
const day = 86_400_000;

describe('safety 42: CA, leaves and the certificate of the command have all expired', () => {
  let run: SandboxRun;
  let sandbox: Sandbox;
  let client: Client;
  let pair: ClientPair;
  let expiresAt: number;

  before(async () => {
    run = await SandboxRun.begin(() => ({ ages: { ca: 365 - livesMs / day, leaves: 0 } }));
    ({ sandbox, client } = run);
    pair = await followClientPair(sandbox);
    expiresAt = Date.parse(bundle()[0]!.notAfter);
  });
  after(() => run?.stop());

  const bundle = () => readCertificates(readTrust(sandbox.store.get(booking.namespace).spec).bundlePem);
  const shell = () => ({
    PATH: process.env['PATH'],
    HOME: run.dir,
    ...recordingKeys(run.keysFile),
    CERT_ROTATION_CONFIG: sandbox.configFile,
    CERT_ROTATION_ALLOW: 'foreign-cloud,commands',
    TEMPORAL_ADDRESS: sandbox.gateway.address,
    TEMPORAL_TLS_CLIENT_CERT_PATH: pair.files.certificate,
    TEMPORAL_TLS_CLIENT_KEY_PATH: pair.files.key,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: sandbox.gateway.caFile,
    TEMPORAL_TLS_SERVER_NAME: sandbox.gateway.serverNameOf(booking.namespace),
  });
  const starter = (...args: string[]) => runStarter(args, shell());
  const rescue = async (temporal?: string) =>
    starter(
      'rescue',
      booking.authority,
      '--who=ada',
      '--why=nobody saw the notices',
      `--temporal=${temporal ?? (await findTool('temporal'))}`,
    );
  let rescued: Ran;
  const completed = async (since: number) => {
    const query = `WorkflowType = "book" AND ExecutionStatus = "Completed" AND StartTime > "${new Date(since).toISOString()}"`;
    return (await client.workflow.count(query)).count;
  };

  it('as long as anybody is let in there is nothing to rescue', async () => {
    assert.ok(Date.now() < expiresAt - 10_000, 'the sandbox took too long to start');
    const { code, stderr } = await rescue();
    assert.equal(code, 2, stderr);
    assert.match(stderr, /lets this very connection in; nothing was started/);
  });

  it('`rescue` brings the workers back, by the API key alone', async () => {
    const [old] = bundle();
    await eventually(async () => Date.now() > expiresAt && (await starter('status')).code === 4, livesMs + 60_000);
    process.stderr.write('everything has expired\n');
    rescued = await rescue();
    process.stderr.write(rescued.stdout);
    assert.equal(rescued.code, 0, rescued.stdout + rescued.stderr);
    assert.match(rescued.stdout, /every target a leaf of it, and workers connect again/);
    const now = bundle();
    assert.equal(now.length, 1);
    assert.notEqual(now[0]!.fingerprint, old!.fingerprint);
  });

  it('the workers reconnect, the rotation worker too, and the ordinary system goes on from there', async () => {
    const since = Date.now();
    await eventually(async () => (await completed(since)) > 0, 60_000);
    await pair.sync();
    const leaf = await eventually(async () => {
      const rotated = await starter('rotate', 'leaf', booking.target);
      return rotated.code === 0 && rotated;
    }, 120_000);
    assert.match(leaf.stdout, /leaf\/booking-worker completed/);
  });

  it('it is on record, and nothing of it is left', async () => {
    const shown = await starter('audit', 'show', booking.authority, '-o', 'json');
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /"outcome":"rotated"/);
    assert.match(shown.stdout, /rescue: nobody saw the notices/);
    const secrets = await sandbox.kubernetes.admin.list<KubernetesObject>('/api/v1/namespaces/cert-rotation/secrets');
    const names = secrets.map(({ metadata }) => metadata!.name!);
    assert.deepEqual(
      names.filter((name) => /rescue\.|\.leaf\.|previous\./.test(name)),
      [],
    );
  });

  it('safety 8: no key is in a history, log, argument, environment, file, object or metric, nor in what the rescue said', async () => {
    assert.deepEqual(await run.placesWithKeys(), []);
    const said = { name: 'the rescue', content: Buffer.from(rescued.stdout + rescued.stderr) };
    assert.deepEqual(scan([said], await recordedKeys(run.keysFile)), []);
  });
});
