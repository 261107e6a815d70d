import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, mock } from 'node:test';
import { main } from '../../src/cli/main.js';
import { withoutCompromised } from '../../src/cli/restoring.js';
import type { AuditEvent } from '../../src/domain/audit.js';
import type { Ending } from '../../src/sandbox/cloud/store.js';
import { readCertificates } from '../../src/x509/read.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa } from '../support/certificates.js';
import { startTestCloud, type TestCloud } from '../support/cloud-sandbox.js';
import { makeServerCertificate } from '../support/server-certificate.js';

describe('safety 43: `break-glass restore` brings back no CA whose key leaked', () => {
  it('of a file that was saved before, it restores the others', async () => {
    const [leaked, clean] = [(await aCa()).certificate, (await aCa({ organization: 'Clean' })).certificate];
    const namespaces = [{ namespace: 'one', bundle: leaked.pem + clean.pem, filters: [] }];
    const saved = { version: 1, kind: 'savedTrust', at: '2026-11-24T00:00:00.000Z', namespaces } as const;
    const bundleOf = (compromised: readonly string[]) =>
      readCertificates(withoutCompromised(saved, new Set(compromised)).namespaces[0]!.bundle);
    assert.deepEqual(
      bundleOf([leaked.fingerprint]).map(({ fingerprint }) => fingerprint),
      [clean.fingerprint],
    );
    assert.equal(bundleOf([]).length, 2);
  });
});

describe('safety 24: `break-glass` hands the API key to no address and no program that the shell does not grant', () => {
  let folder: string;
  let elsewhere: Server;
  let connections = 0;
  let printed: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
    elsewhere = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    for (const method of ['log', 'error'] as const)
      mock.method(console, method, (line: string) => void printed.push(line));
    const bundle = (await aCa()).certificate.pem;
    const saved = { version: 1, kind: 'savedTrust', at: '2026-11-24T00:00:00.000Z' };
    const namespaces = [{ namespace: 'shop.acct', bundle, filters: [] }];
    await writeFile(join(folder, 'trust.json'), JSON.stringify({ ...saved, namespaces }));
    await writeFile(join(folder, 'key'), 'secret', { mode: 0o600 });
  });
  after(async () => {
    mock.restoreAll();
    elsewhere?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function breakGlass(cloud: string, ...args: readonly string[]) {
    printed = [];
    await writeFile(
      join(folder, 'rotation.yaml'),
      `version: 1
temporal: {}
cloud: { ${cloud}, apiKey: { file: key } }
keystore: { kind: kubernetes, allowPlaintext: true }
kubernetes: { kubeconfig: nowhere }
namespaces: { shop.acct: {} }
authorities: { shop: { subject: { organization: Shop }, namespaces: [shop.acct] } }
targets: {}
`,
    );
    return main(['node', 'cert-rotation', '--config', join(folder, 'rotation.yaml'), 'break-glass', ...args]);
  }

  const argsOf = (verb: string): readonly string[] =>
    verb === 'save'
      ? ['save', 'shop', '--to', join(folder, 'new.json')]
      : ['restore', '--from', join(folder, 'trust.json')];

  for (const verb of ['save', 'restore'])
    it(`${verb}: a foreign address, and tcld, are refused`, async () => {
      const { port } = elsewhere.address() as AddressInfo;
      const args = argsOf(verb);
      assert.equal(await breakGlass(`kind: ops-api, address: "127.0.0.1:${port}"`, ...args), 2);
      assert.match(printed.join('\n'), /API key would go to 127\.0\.0\.1.*CERT_ROTATION_ALLOW=foreign-cloud/);
      assert.equal(await breakGlass('kind: tcld, binary: /tmp/tcld', ...args), 2);
      assert.match(printed.join('\n'), /\/tmp\/tcld would be run.*CERT_ROTATION_ALLOW=commands/);
      assert.equal(connections, 0, 'it was connected to');
    });

  for (const verb of ['save', 'restore'])
    it(`${verb}: what the shell grants is done`, async (test) => {
      const { port } = elsewhere.address() as AddressInfo;
      process.env['CERT_ROTATION_ALLOW'] = 'foreign-cloud';
      test.after(() => delete process.env['CERT_ROTATION_ALLOW']);
      const before = connections;
      await breakGlass(`kind: ops-api, address: "127.0.0.1:${port}"`, ...argsOf(verb));
      assert.ok(connections > before, printed.join('\n'));
    });
});

describe('safety 27: `break-glass restore` puts on record what it changes', () => {
  const namespace = 'shop.acct';
  let folder: string;
  let cloud: TestCloud;
  let saved: KeyPair;
  let trusted: KeyPair;
  let printed: string[];
  let audited: AuditEvent[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
    [saved, trusted] = await Promise.all([aCa(), aCa({ organization: 'Shop' })]);
    const certificate = makeServerCertificate(folder);
    cloud = await startTestCloud({ namespace, bundlePem: trusted.certificate.pem, ...certificate });
    const namespaces = [{ namespace, bundle: saved.certificate.pem, filters: [] }];
    const trust = { version: 1, kind: 'savedTrust', at: '2026-11-24T00:00:00.000Z', namespaces };
    await writeFile(join(folder, 'trust.json'), JSON.stringify(trust));
    await writeFile(join(folder, 'key'), cloud.api.apiKey, { mode: 0o600 });
    await writeFile(
      join(folder, 'rotation.yaml'),
      `version: 1
temporal: {}
cloud:
  kind: ops-api
  address: "${cloud.api.address}"
  serverRootsFile: ${certificate.certificateFile}
  apiKey: { file: key }
keystore: { kind: kubernetes, allowPlaintext: true }
kubernetes: { kubeconfig: nowhere }
namespaces: { shop.acct: {} }
authorities: { shop: { subject: { organization: Shop }, namespaces: [shop.acct] } }
targets: {}
`,
    );
    process.env['CERT_ROTATION_ALLOW'] = 'foreign-cloud';
    mock.method(console, 'log', (line: string) => void printed.push(line));
    mock.method(console, 'error', (line: string) => {
      if (line.startsWith('{"audit"')) audited.push((JSON.parse(line) as { audit: AuditEvent }).audit);
    });
  });
  after(async () => {
    delete process.env['CERT_ROTATION_ALLOW'];
    mock.restoreAll();
    await cloud?.api.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Its exit code; the operation of its write ends so. */
  async function restore(...endings: Ending[]): Promise<number> {
    [printed, audited] = [[], []];
    cloud.store.endings.push(...endings);
    const command = ['break-glass', 'restore', '--from', join(folder, 'trust.json'), '--who=sam', '--why=locked out'];
    return main(['node', 'cert-rotation', '--config', join(folder, 'rotation.yaml'), ...command]);
  }
  const stages = () => audited.map(({ stage }) => stage);

  it('one that failed has begun, and nothing says that it was done', async () => {
    assert.equal(await restore('FAILED'), 1, printed.join('\n'));
    assert.deepEqual(stages(), ['begins']);
    assert.doesNotMatch(printed.join('\n'), /trusts again/);
  });

  it('one that is made: before and after it, with who and why; again, that it was found', async () => {
    assert.equal(await restore(), 0, printed.join('\n'));
    assert.deepEqual(stages(), ['begins', 'done']);
    for (const { event, subject, before: was, after: is, who, identity, why, configuration } of audited) {
      assert.deepEqual([event, subject], ['trustChanged', `namespace/${namespace}`]);
      const bundles = [was, is].map((trust) => [...(trust as { bundle: string[] }).bundle].sort());
      const [old, restored] = [trusted, saved].map(({ certificate }) => certificate.fingerprint) as [string, string];
      assert.deepEqual(bundles, [[old], [old, restored].sort()]);
      assert.deepEqual([who, identity, why], ['sam', 'claimed', 'locked out']);
      assert.ok(configuration);
    }
    assert.equal(await restore(), 0);
    assert.deepEqual(stages(), ['found']);
  });
});
