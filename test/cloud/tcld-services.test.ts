import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import proto from '@temporalio/proto';
import { openCloudChannel } from '../../src/cloud/channel.js';
import type { Cloud } from '../../src/cloud/cloud.js';
import { readTrust, restOf, withTrust } from '../../src/cloud/namespace-spec.js';
import { createOpsApiCloud } from '../../src/cloud/ops-api.js';
import { fieldsOf, messageOf } from '../../src/cloud/wire.js';
import { runCommand } from '../../src/command.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import { newSpec } from '../../src/sandbox/cloud/store.js';
import { fromTcldSpec, toTcldSpec } from '../../src/sandbox/cloud/tcld-spec.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { aCa } from '../support/certificates.js';
import { startTestCloud, type TestCloud } from '../support/cloud-sandbox.js';
import { makeServerCertificate, type ServerCertificate } from '../support/server-certificate.js';

const namespace = 'orders.acct1';

describe("the sandbox speaks tcld's older services beside Cloud Ops, on one port and one state", () => {
  let folder: string;
  let certificate: ServerCertificate;
  let program: string;
  let sandbox: TestCloud;
  let ops: Cloud;
  let [one, two]: CertificateFacts[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    certificate = makeServerCertificate(folder);
    program = await findTool('tcld', { progress: (line) => process.stderr.write(`${line}\n`) });
    [one, two] = (await Promise.all([aCa(), aCa()])).map((ca) => ca.certificate);
    sandbox = await startTestCloud({ ...certificate, namespace, bundlePem: one!.pem });
    const { address, apiKey } = sandbox.api;
    const serverRoots = readFileSync(certificate.certificateFile);
    ops = createOpsApiCloud(openCloudChannel({ address, apiKey, serverRoots }));
  });
  after(async () => {
    await ops?.close();
    await sandbox?.api.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a person types, with the namespace that all commands need. */
  async function tcld(...args: string[]): Promise<string> {
    const { address, apiKey } = sandbox.api;
    const env = { TEMPORAL_CLOUD_API_KEY: apiKey, SSL_CERT_FILE: certificate.certificateFile, AUTO_CONFIRM: 'true' };
    const { stdout } = await runCommand({
      program: { path: program },
      args: ['--server', address, ...args],
      env: { ...env, TEMPORAL_CLOUD_NAMESPACE: namespace },
      deadlineMs: 30_000,
    });
    return stdout;
  }
  /** Submits, and waits as a person would: by asking for the request. */
  async function submitted(...args: string[]): Promise<void> {
    const id = /"requestId": "(\w+)"/.exec(await tcld(...args))?.[1];
    while (!/"state": "Fulfilled"/.test(await tcld('request', 'get', '-r', id!)));
  }
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const bundle = async () => (await ops.readNamespace(namespace)).bundle.map((ca) => ca.fingerprint);

  it('what tcld adds, Cloud Ops lists', async () => {
    await submitted('namespace', 'accepted-client-ca', 'add', '-f', file('two.pem', two!.pem));
    assert.deepEqual(await bundle(), [one!.fingerprint, two!.fingerprint]);
  });

  it('what Cloud Ops lists, tcld lists, under its SHA-1', async () => {
    const listed = JSON.parse(await tcld('namespace', 'accepted-client-ca', 'list')) as { fingerprint: string }[];
    assert.deepEqual(
      listed.map(({ fingerprint }) => fingerprint),
      [one!.sha1, two!.sha1],
    );
  });

  it('what tcld removes is gone for Cloud Ops, and what Cloud Ops removes for tcld', async () => {
    await submitted('namespace', 'accepted-client-ca', 'remove', '--fp', one!.sha1);
    assert.deepEqual(await bundle(), [two!.fingerprint]);
    await ops.changeTrust(namespace, ({ filters }) => ({ bundle: [one!], filters }), { generation: 'run-1' });
    assert.match(await tcld('namespace', 'accepted-client-ca', 'list'), new RegExp(one!.sha1));
  });

  it('filters that tcld imports and clears are those of Cloud Ops', async () => {
    const filters = [{ commonName: 'worker*' }, { organization: 'Acme', subjectAlternativeName: '*.acme' }];
    const text = JSON.stringify({ filters });
    await submitted('namespace', 'certificate-filters', 'import', '-f', file('filters.json', text));
    assert.deepEqual((await ops.readNamespace(namespace)).filters, filters);
    await submitted('namespace', 'certificate-filters', 'clear');
    assert.deepEqual((await ops.readNamespace(namespace)).filters, []);
  });

  it('an operation of the one is a request of the other', async () => {
    const { operationId } = await ops.changeTrust(namespace, ({ filters }) => ({ bundle: [one!, two!], filters }), {
      generation: 'run-2',
    });
    assert.match(await tcld('request', 'get', '-r', operationId!), /"state": "Fulfilled"/);
  });

  it('refuses with the same words: an expired CA, a stale version, a namespace that is not there', async () => {
    const past = new Date(Date.now() - 10 * 86_400_000);
    const { certificate: expired } = await aCa({ now: past, lifetimeMs: 86_400_000 });
    const both = file('both.pem', `${one!.pem}${expired.pem}`);
    await assert.rejects(tcld('namespace', 'accepted-client-ca', 'set', '-f', both), {
      stderr: /code = InvalidArgument desc = invalid ca certificate: 2 errors occurred:\n\t\* .* is expired as of/,
    });
    const alone = file('one.pem', one!.pem);
    await assert.rejects(tcld('namespace', 'accepted-client-ca', 'set', '-v', '1', '-f', alone), {
      stderr: /code = FailedPrecondition/,
    });
    await assert.rejects(tcld('namespace', 'get', '-n', 'x.acct1'), { stderr: /code = NotFound/ });
  });

  it('lists the namespaces of the account', async () => {
    assert.deepEqual(JSON.parse(await tcld('namespace', 'list')), { namespaces: [namespace], nextPageToken: '' });
  });

  it('tcld shows the search attributes of the spec under their own types', async () => {
    const searchAttributes = { Customer: 2, Note: 1, Rooms: 3 };
    const fields = fieldsOf(proto.temporal.api.cloud.namespace.v1.NamespaceSpec.encode({ searchAttributes }).finish());
    sandbox.store.edit(namespace, (spec) => messageOf([...fieldsOf(spec), ...fields]));
    const told = JSON.parse(await tcld('namespace', 'get')) as { spec: { searchAttributes: object } };
    assert.deepEqual(told.spec.searchAttributes, { Customer: 'Keyword', Note: 'Text', Rooms: 'Int' });
  });

  describe('a spec in the words of tcld', () => {
    const { NamespaceSpec } = proto.temporal.api.cloud.namespace.v1;
    const text = fc.string({ minLength: 1, maxLength: 8 });
    const specs = fc
      .record({
        name: text,
        retentionDays: fc.integer({ min: 1, max: 90 }),
        mtlsAuth: fc.constant({ enabled: true }),
        codecServer: fc.record({ endpoint: text, passAccessToken: fc.constant(true) }),
        lifecycle: fc.record({ enableDeleteProtection: fc.constant(true) }),
        highAvailability: fc.record({ disableManagedFailover: fc.constant(true) }),
        connectivityRuleIds: fc.array(text, { maxLength: 2 }),
        searchAttributes: fc.dictionary(text, fc.integer({ min: 1, max: 7 }), { maxKeys: 3, noNullPrototype: true }),
      })
      .map((spec) => NamespaceSpec.encode(spec).finish());

    it('goes there and back unharmed, trust included', () => {
      fc.assert(
        fc.property(specs, (plain) => {
          const spec = withTrust(plain, { bundle: [one!, two!], filters: [{ commonName: 'worker' }] });
          const back = fromTcldSpec(toTcldSpec(spec), spec, { keepsFields: false });
          assert.deepEqual([restOf(back), readTrust(back)], [restOf(spec), readTrust(spec)]);
        }),
      );
    });

    it('keeps what it has no word for only where the server keeps it', () => {
      const spec = newSpec('orders', { bundlePem: one!.pem, filters: [] });
      const numbers = (keepsFields: boolean) =>
        fieldsOf(fromTcldSpec(toTcldSpec(spec), spec, { keepsFields })).map(({ number }) => number);
      assert.deepEqual([numbers(true).includes(99), numbers(false).includes(99)], [true, false]);
    });
  });
});
