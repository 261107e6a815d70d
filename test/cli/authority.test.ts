import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it, mock } from 'node:test';
import { main } from '../../src/cli/main.js';
import type { AuditEvent } from '../../src/domain/audit.js';
import { entries } from '../../src/domain/ids.js';
import { encryptedEnvelope } from '../../src/keystore/envelope.js';
import { createKubernetesKeystore } from '../../src/keystore/kubernetes.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { sandboxMarker } from '../../src/kubernetes/marker.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { aCaUnder } from '../support/chains.js';
import { startCluster, type Cluster } from '../support/cluster.js';

const encryptionKey = Buffer.alloc(32, 7).toString('base64');

describe('cert-rotation authority import', () => {
  let folder: string;
  let cluster: Cluster;
  let keystore: Keystore;
  let printed: string[];
  let audited: AuditEvent[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
    cluster = await startCluster();
    keystore = createKubernetesKeystore(cluster.client, 'cert-rotation', encryptedEnvelope(encryptionKey));
    const { namespace, name } = sandboxMarker;
    type Marker = KubernetesObject & { readonly data: { readonly id: string } };
    const marker = await cluster.admin.get<Marker>(`/api/v1/namespaces/${namespace}/configmaps/${name}`);
    const authority = '{ subject: { organization: Acme }, namespaces: [orders.acct1] }';
    await writeFile(join(folder, 'kek'), encryptionKey);
    await writeFile(
      join(folder, 'rotation.yaml'),
      `version: 1
temporal: {}
cloud: { kind: ops-api, apiKey: { env: NOT_NEEDED } }
keystore: { kind: kubernetes, encryptionKey: { file: kek } }
kubernetes: { kubeconfig: ${cluster.kubeconfig}, sandbox: ${marker!.data.id} }
namespaces: { orders.acct1: {} }
authorities: { one: ${authority}, two: ${authority}, three: ${authority}, four: ${authority} }
targets: {}
`,
    );
    for (const method of ['log', 'error'] as const)
      mock.method(console, method, (line: string) => {
        if (line.startsWith('{"audit"')) audited.push((JSON.parse(line) as { audit: AuditEvent }).audit);
        else printed.push(line);
      });
  });
  beforeEach(() => {
    printed = [];
    audited = [];
  });
  after(async () => {
    mock.restoreAll();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (...args: readonly string[]) =>
    main(['node', 'cert-rotation', '--config', join(folder, 'rotation.yaml'), ...args]);
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  async function filesOf({ certificate, key }: KeyPair, keyText = key.reveal()): Promise<readonly string[]> {
    const name = certificate.fingerprint;
    return [
      `--certificate=${await file(`${name}.pem`, certificate.pem)}`,
      `--key=${await file(`${name}.key`, keyText)}`,
      '--who=ada',
    ];
  }

  it('an existing CA becomes the current one; its fingerprints are printed as both tools print them, its key is not', async () => {
    const ca = await aCa();
    const { fingerprint, sha1 } = ca.certificate;
    assert.equal(await run('authority', 'import', 'one', ...(await filesOf(ca))), 0, printed.join('\n'));
    const { record } = (await keystore.get(entries.authority('one')))!;
    assert.deepEqual(record, { generation: 1, current: fingerprint, signing: fingerprint });
    const entry = (await keystore.get(entries.ca('one', fingerprint)))!;
    assert.equal(entry.key?.reveal(), ca.key.reveal());
    const text = printed.join('\n');
    assert.ok(text.includes(fingerprint) && text.includes(sha1));
    assert.match(text, /whoever has another can sign leaves/);
    assert.ok(!text.includes(ca.key.reveal().split('\n')[1]!));
    assert.equal(await run('authority', 'import', 'one', ...(await filesOf(ca))), 0, 'twice is once');
  });

  it('safety 27: who took which CA over, and why, is on record before and after it, and that copies of its key exist', async () => {
    const ca = await aCa();
    const given = ['authority', 'import', 'four', ...(await filesOf(ca)), '--why=it is ours now'];
    const stages = () => audited.splice(0).map(({ stage }) => stage);
    assert.equal(await run(...given), 0, printed.join('\n'));
    const [{ event, subject, after, who, identity, why, configuration }] = audited as [AuditEvent];
    assert.deepEqual(
      { event, subject, after, who, identity, why },
      {
        event: 'caImported',
        subject: 'authority/four',
        after: { ca: ca.certificate.fingerprint, copiesOfKey: 'exist' },
        who: 'ada',
        identity: 'claimed',
        why: 'it is ours now',
      },
    );
    assert.ok(configuration);
    assert.deepEqual(stages(), ['begins', 'done']);
    assert.equal(await run(...given), 0);
    assert.deepEqual(stages(), ['found']);
    assert.equal(await run('authority', 'import', 'four', ...(await filesOf(await aCa()))), 2);
    assert.deepEqual(stages(), [], 'a refusal changes nothing');
  });

  it('an authority that has a CA keeps it: exit code 2, with what to do instead', async () => {
    assert.equal(await run('authority', 'import', 'one', ...(await filesOf(await aCa()))), 2);
    assert.match(printed.join('\n'), /has the CA \w{8} already\. .*rotate/);
  });

  it('an intermediate comes with its chain and an encrypted key, whose passphrase is in a file or a variable', async () => {
    const ca = await aCaUnder(await aCaUnder(await aCaUnder(undefined)));
    const chain = await file('chain.pem', ca.chain!.map(({ pem }) => pem).join(''));
    const given = [...(await filesOf(ca, ca.key.revealEncrypted('open sesame'))), `--chain=${chain}`];
    const passphrase = await file('pass', 'open sesame\n');
    assert.equal(await run('-o', 'json', 'authority', 'import', 'two', ...given, `--passphrase-file=${passphrase}`), 0);
    const { authority, fingerprint } = JSON.parse(printed.join('\n')) as Record<string, unknown>;
    assert.deepEqual([authority, fingerprint], ['two', ca.certificate.fingerprint]);
    const entry = (await keystore.get(entries.ca('two', ca.certificate.fingerprint)))!;
    assert.deepEqual(entry.chain, ca.chain);
    process.env['PASS_OF_TEST'] = 'wrong';
    try {
      assert.equal(await run('authority', 'import', 'three', ...given, '--passphrase-env=PASS_OF_TEST'), 2);
      assert.match(printed.at(-1)!, /"ImportKeyLocked"|does not open with the passphrase/);
    } finally {
      delete process.env['PASS_OF_TEST'];
    }
  });

  it('what cannot be used is refused with exit code 2 and the fix, and nothing is kept', async () => {
    const ca = await aCa();
    const leaf = await aLeaf(ca);
    const cases: [readonly string[], RegExp][] = [
      [await filesOf(leaf), /is no CA.*Give the CA's certificate/],
      [['--certificate=/nonexistent', '--key=/nonexistent', '--who=ada'], /\/nonexistent cannot be read \(ENOENT\)/],
      [['--certificate=/nonexistent'], /required option '--key/],
      [['--certificate=/nonexistent', '--key=/nonexistent'], /required option '--who/],
      [[...(await filesOf(ca)), '--passphrase-env=A', '--passphrase-file=B'], /either --passphrase-file or/],
    ];
    for (const [args, message] of cases) {
      printed = [];
      const errors = mock.method(process.stderr, 'write', (text: string) => (printed.push(text), true));
      const code = await run('authority', 'import', 'three', ...args);
      errors.mock.restore();
      assert.equal(code, 2);
      assert.match(printed.join('\n'), message);
    }
    assert.equal(await run('authority', 'import', 'five', ...(await filesOf(ca))), 2);
    assert.match(printed.join('\n'), /no authority "five"/);
    assert.equal(await keystore.get(entries.authority('three')), undefined);
  });
});
