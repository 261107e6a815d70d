import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { typedCommands } from '../../src/sandbox/bench/typed-commands.js';
import { booking } from '../../src/sandbox/configuration.js';
import { describeSandbox } from '../../src/sandbox/description.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.js';
import { linkArticleTools } from '../../src/sandbox/tools/article.js';
import { readCertificates, signedBy } from '../../src/x509/read.js';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../../examples/article/rotate.sh', import.meta.url));

describe("the article's procedure, by hand, with its own tools", () => {
  let dir: string;
  let sandbox: Sandbox;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    const progress = (line: string) => process.stderr.write(`${line}\n`);
    sandbox = await startSandbox({ dir: join(dir, 'state'), progress, bookingsPerSecond: 1, rotationWorker: false });
    await writeFile(join(dir, 'sandbox.json'), JSON.stringify(describeSandbox(sandbox)), { mode: 0o600 });
    await linkArticleTools(join(dir, 'state', 'bin'), progress);
  });
  after(async () => {
    await sandbox?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const rotate = (scenario: string, generateWith: string, state = dir) =>
    run(script, [state, scenario], {
      env: { PATH: process.env['PATH'], GENERATE_WITH: generateWith },
      timeout: 240_000,
    });

  async function leafInPlace() {
    type Secret = KubernetesObject & { readonly data: Readonly<Record<string, string>> };
    const path = '/api/v1/namespaces/temporal-booking/secrets/temporal-booking-tls';
    const { data } = (await sandbox.kubernetes.admin.get<Secret>(path))!;
    return readCertificates(Buffer.from(data['tls.crt']!, 'base64').toString())[0]!;
  }
  const trusted = () => readCertificates(readTrust(sandbox.store.get(booking.namespace).spec).bundlePem);

  /** Program, command and what tells it apart. */
  const inShort = (output: string) => typedCommands(output).map((line) => line.split(/ (?=--|-d|\d)/)[0]!.trim());
  const makeLeaf = {
    certstrap: ['certstrap request-cert', 'certstrap sign temporal-booking.sdvdw'],
    tcld: ['tcld'],
  } as const;
  const restart = [
    'kubectl apply',
    'kubectl scale deployment temporal-booking-worker',
    'kubectl scale deployment temporal-booking-worker',
    'kubectl rollout status deployment temporal-booking-worker',
  ];

  for (const generateWith of ['certstrap', 'tcld'] as const) {
    it(`scenario 1 with ${generateWith}: the bundle holds the new CA alone, and the workers a leaf of it`, async () => {
      const [before] = trusted();
      const { stdout } = await rotate('ca', generateWith);
      const [ca, ...others] = trusted();
      assert.deepEqual(others, []);
      assert.notEqual(ca!.fingerprint, before!.fingerprint);
      assert.ok(signedBy(await leafInPlace(), ca!));
      assert.deepEqual(readTrust(sandbox.store.get(booking.namespace).spec).filters, [
        { commonName: 'temporal-booking.sdvdw' },
        { commonName: 'cert-rotation-worker' },
      ]);
      assert.deepEqual(inShort(stdout), [
        ...(generateWith === 'certstrap' ? ['certstrap init'] : ['tcld']),
        'tcld n ca add',
        // The filters are there the second time.
        ...(generateWith === 'certstrap' ? ['tcld n cf add'] : []),
        ...makeLeaf[generateWith],
        'temporal workflow list',
        ...restart,
        'tcld n ca remove',
      ]);
    });

    it(`scenario 2 with ${generateWith}: another leaf of the same CA`, async () => {
      const [ca, before] = [trusted()[0]!, await leafInPlace()];
      const { stdout } = await rotate('leaf', generateWith);
      assert.deepEqual(inShort(stdout), [...makeLeaf[generateWith], 'temporal workflow list', ...restart]);
      assert.deepEqual(trusted()[0], ca);
      const leaf = await leafInPlace();
      assert.ok(signedBy(leaf, ca));
      assert.notEqual(leaf.fingerprint, before.fingerprint);
    });
  }

  it("safety 25: it does nothing where the sandbox's marker is not", async () => {
    const stranger = join(dir, 'stranger');
    await mkdir(join(stranger, 'state'), { recursive: true });
    await symlink(join(dir, 'state', 'bin'), join(stranger, 'state', 'bin'));
    const configuration = join(stranger, 'rotation.yaml');
    await writeFile(configuration, 'version: 1\n');
    await writeFile(join(stranger, 'sandbox.json'), JSON.stringify({ ...describeSandbox(sandbox), configuration }));
    const before = [trusted(), await leafInPlace()];
    await assert.rejects(rotate('ca', 'certstrap', stranger), /does not carry the marker/);
    assert.deepEqual([trusted(), await leafInPlace()], before);
  });
});
