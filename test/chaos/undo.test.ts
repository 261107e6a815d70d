import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { readTrust, withTrust } from '../../src/cloud/namespace-spec.js';
import type { AuditEvent } from '../../src/domain/audit.js';
import { untilApprovalIsAsked } from '../../src/sandbox/approval.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { rootOf, typeOf } from '../support/failures.js';
import { SandboxRun } from '../support/sandbox-run.js';
import { runStarter } from '../support/starter.js';
import { temporalCli } from '../support/temporal-cli.js';

const id = `ca/${booking.authority}`;

describe('safety 15: the undo needs neither Temporal nor the namespace', () => {
  let run: SandboxRun;
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;

  before(async () => {
    // Long enough for a person at a shell.
    run = await SandboxRun.begin(() => ({ timing: { watch: '40s' } }));
    ({ dir, sandbox, client } = run);
  });
  after(() => run?.stop());

  const bundle = () =>
    readCertificates(readTrust(sandbox.store.get(booking.namespace).spec).bundlePem).map((ca) => ca.fingerprint);
  const shell = () => ({
    PATH: process.env['PATH'],
    HOME: dir,
    KUBECONFIG: join(dir, 'none'),
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    CERT_ROTATION_CONFIG: sandbox.configFile,
    CERT_ROTATION_ALLOW: 'foreign-cloud',
  });

  /** A CA rotation whose removal was approved. */
  async function approved(): Promise<WorkflowHandle> {
    const handle = await client.workflow.start('caRotation', {
      workflowId: id,
      taskQueue: 'cert-rotation',
      args: [{ authority: booking.authority }],
    });
    const evidence = await untilApprovalIsAsked(client, id);
    await handle.signal('approveCaRemoval', { who: 'ada', why: 'all moved', evidence });
    return handle;
  }

  it('the removal locks out the rotation worker itself, and the old CA returns', async () => {
    const [old] = bundle() as [string];
    const handle = await approved();
    const next = await eventually(async () => !bundle().includes(old) && bundle()[0], 120_000);
    // The gateway admits nobody of ours from now on, for longer than any connection lasts: the rotation worker is cut off.
    const stranger = await aCa({ organization: 'Stranger' });
    const outage = { method: 'UpdateNamespace', code: status.UNAVAILABLE, when: 'before', times: 8 } as const;
    sandbox.cloud.faults.push(outage);
    await sandbox.gateway.setTrust(booking.namespace, { bundlePem: stranger.certificate.pem, filters: [] });
    const error: unknown = await handle.result().catch((reason: unknown) => reason);
    assert.equal(typeOf(error), 'RemovalUndone', rootOf(error).message);
    assert.deepEqual(bundle().sort(), [old, next].sort());
    const refused = (await sandbox.gateway.record()).filter(({ kind }) => kind === 'refused');
    const workers = await leafOf('cert-rotation', 'cert-rotation-worker-tls');
    assert.ok(
      refused.some(({ leaf }) => leaf === workers),
      'the rotation worker was never locked out',
    );
  });

  it('`undo-removal` undoes a removal from a shell that reaches no Temporal, and the rotation meets it', async () => {
    const [trusted, { KUBECONFIG: _none, ...env }] = [bundle(), shell()];
    const handle = await approved();
    const gone = await eventually(async () => trusted.find((ca) => !bundle().includes(ca)), 120_000);
    const undo = ['undo-removal', booking.authority, '--who=ada', '--why=the nightly job is refused'];
    const { code, stdout, stderr } = await runStarter(undo, env);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /cannot be reached at 127\.0\.0\.1:1.* It is undone from here, by the API key alone/);
    assert.match(stdout, new RegExp(`trusts again ${gone.slice(0, 8)}`));
    assert.deepEqual(bundle().sort(), trusted.sort());
    const error: unknown = await handle.result().catch((reason: unknown) => reason);
    assert.equal(typeOf(error), 'RemovalUndone', rootOf(error).message);
    assert.deepEqual(bundle().sort(), trusted.sort());
    const again = await runStarter(undo, env);
    assert.equal(again.code, 2, again.stderr);
    assert.match(again.stderr, /cannot be reached.* Nor from here: no CA is being removed/);
  });

  it('`break-glass` restores from a shell with the API key alone', async () => {
    const file = join(dir, 'trust.json');
    const starter = (...args: string[]) => runStarter(['break-glass', ...args], shell());
    const trusted = bundle();
    const saved = await starter('save', booking.authority, '--to', file);
    assert.equal(saved.code, 0, saved.stderr);
    assert.equal((await starter('save', booking.authority, '--to', file)).code, 2, 'a file was overwritten');
    assert.doesNotMatch(await readFile(file, 'utf8'), /PRIVATE KEY/);
    const cli = await temporalCli(sandbox, join(dir, 'leaf'));
    await eventually(async () => cli('workflow', 'list', '--limit=1').catch(() => undefined), 60_000);

    const stranger = await aCa({ organization: 'Stranger' });
    const lockedOut = { bundle: [stranger.certificate], filters: [{ commonName: 'nobody' }] };
    const { certificate } = stranger;
    await sandbox.gateway.setTrust(booking.namespace, { bundlePem: certificate.pem, filters: lockedOut.filters });
    sandbox.store.edit(booking.namespace, (spec) => withTrust(spec, lockedOut));
    await eventually(
      async () =>
        cli('workflow', 'list', '--limit=1').then(
          () => false,
          () => true,
        ),
      60_000,
    );

    const dry = await starter('restore', '--from', file, '--dry-run');
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /would trust again/);
    assert.deepEqual(bundle(), [certificate.fingerprint]);
    const restored = await starter('restore', '--from', file, '--who', 'sam', '--why', 'nobody connects');
    assert.equal(restored.code, 0, restored.stderr);
    const log = join(dir, 'break-glass.log');
    await writeFile(log, restored.stderr);
    const { audit } = JSON.parse(restored.stderr.split('\n').find((line) => line.includes('"audit"'))!) as {
      audit: AuditEvent;
    };
    const { event, subject, who, identity, why } = audit;
    assert.deepEqual(
      { event, subject, who, identity, why },
      {
        event: 'trustChanged',
        subject: `namespace/${booking.namespace}`,
        who: 'sam',
        identity: 'claimed',
        why: 'nobody connects',
      },
    );
    const verified = await runStarter(['audit', 'verify', log], shell());
    assert.equal(verified.code, 0, verified.stderr);
    assert.deepEqual(bundle().sort(), [...trusted, certificate.fingerprint].sort());
    await eventually(async () => cli('workflow', 'list', '--limit=1').catch(() => undefined), 60_000);
  });

  it('what the last removal took is kept beside the authority', async () => {
    const file = join(dir, 'kept.json');
    const { KUBECONFIG: _none, ...env } = shell();
    const { code, stderr } = await runStarter(['break-glass', 'save', booking.authority, '--kept', '--to', file], env);
    assert.equal(code, 0, stderr);
    const { namespaces } = JSON.parse(await readFile(file, 'utf8')) as { namespaces: { bundle: string }[] };
    assert.equal(readCertificates(namespaces[0]!.bundle).length, 2);
  });

  it('safety 8: no key is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));

  async function leafOf(namespace: string, name: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
    const { data } = (await sandbox.kubernetes.admin.get(path)) as { data: Readonly<Record<string, string>> };
    return readCertificates(Buffer.from(data['tls.crt']!, 'base64').toString())[0]!.fingerprint;
  }
});
