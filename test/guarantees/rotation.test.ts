import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runDemo, type DemoResult } from '../../src/sandbox/demo/index.js';
import type { GatewayEvent } from '../../src/sandbox/gateway/index.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';

describe('a leaf rotation, a CA rotation and a scheduled rotation under steady traffic', () => {
  let dir: string;
  let sandbox: Sandbox;
  let result: DemoResult;
  let record: readonly GatewayEvent[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    sandbox = await startSandbox({ dir, progress: (line) => process.stderr.write(`${line}\n`) });
    result = await runDemo(sandbox, (line) => process.stderr.write(`${line}\n`));
    record = await sandbox.gateway.record();
  });
  after(async () => {
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

  it('the namespace ends with the new CA alone, the wanted filters, and every field that our protos do not know', async () => {
    const { readTrust } = await import('../../src/cloud/namespace-spec.js');
    const { readCertificates } = await import('../../src/x509/read.js');
    const { spec } = sandbox.store.get('temporal-booking.sdvdw');
    const { bundlePem, filters, enabled } = readTrust(spec);
    assert.deepEqual(
      readCertificates(bundlePem).map((ca) => ca.fingerprint),
      [result.ca.newFingerprint],
    );
    assert.deepEqual(filters, [{ commonName: 'temporal-booking-worker' }, { commonName: 'cert-rotation-worker' }]);
    assert.equal(enabled, true);
    assert.ok(Buffer.from(spec).includes('a field of tomorrow'));
  });

  it('nothing is left in the keystore but the authority and its one CA', async () => {
    const secrets = await sandbox.kubernetes.admin.list('/api/v1/namespaces/cert-rotation/secrets');
    const entries = secrets.map(({ metadata }) => metadata!.name!).filter((name) => name.startsWith('cert-rotation.'));
    assert.deepEqual(entries.sort(), [
      'cert-rotation.authority.temporal-booking',
      `cert-rotation.ca.temporal-booking.${result.ca.newFingerprint!.slice(0, 16)}`,
    ]);
  });
});
