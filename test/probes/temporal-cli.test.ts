import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Program } from '../../src/command.js';
import type { FailureType } from '../../src/domain/failures.js';
import type { Endpoint, ProbeResult } from '../../src/probes/probe.js';
import { createTemporalCliProbe } from '../../src/probes/temporal-cli.js';
import { temporaryRoot } from '../../src/temporary-folder.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';

const endpoint: Endpoint = { namespace: 'orders.acct1', address: '127.0.0.1:7233', serverName: 'orders.tmprl.cloud' };

describe('probe temporal-cli, with a program in place of temporal', () => {
  let folder: string;
  let leaf: KeyPair;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    leaf = await aLeaf(await aCa());
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function pretender(then: string, version = '1.9.1'): Promise<Program> {
    const path = join(folder, `temporal-${++count}`);
    const answer = `if (process.argv[2] === '--version') { console.log('temporal version ${version} (Server 1.32.0)'); process.exit(); }`;
    await writeFile(path, `#!${process.execPath}\n${answer}\n${then}`);
    await chmod(path, 0o755);
    return { path };
  }
  const saying = async (stderr: string, deadlineMs = 5000): Promise<ProbeResult> => {
    const program = await pretender(`console.error(${JSON.stringify(stderr)}); process.exit(1);`);
    return createTemporalCliProbe({ program, deadlineMs }).test(leaf, endpoint);
  };
  const connecting = (why: string) => `Error: failed connecting to Temporal server at ${endpoint.address}: ${why}`;
  const remote = (alert: string) =>
    connecting(`connection error: desc = "error reading server preface: remote error: tls: ${alert}"`);

  it('every alert about a certificate is a refusal at TLS, under the name that the built-in probe gives it', async () => {
    const alerts = {
      'bad certificate': 'bad certificate',
      'revoked certificate': 'certificate revoked',
      'expired certificate': 'certificate expired',
      'unknown certificate authority': 'unknown ca',
      'certificate required': 'certificate required',
    };
    for (const [go, reason] of Object.entries(alerts))
      assert.deepEqual(await saying(remote(go)), { outcome: 'refused', layer: 'tls', reason });
  });

  it('safety 14: other alerts, a deadline of the server and words that nobody knows are no refusal', async () => {
    const unknown = [
      remote('internal error'),
      connecting('context deadline exceeded'),
      'Error: failed listing workflows: context deadline exceeded',
      'Error: unknown flag: --tls-cert-path',
      '',
    ];
    for (const text of unknown) assert.equal((await saying(text)).outcome, 'unreachable', text);
  });

  it('a namespace that the server does not know is refused at the RPC, and named', async () => {
    const answer = await saying('Error: failed listing workflows: Namespace orders.acct1 is not found.');
    const reason = 'the namespace orders.acct1: Namespace orders.acct1 is not found.';
    assert.deepEqual(answer, { outcome: 'refused', layer: 'rpc', reason });
  });

  it('a connection that breaks without a reason is tried again, because its end may overtake the alert', async () => {
    const tried = join(folder, 'tried');
    const program = await pretender(`
      const fs = require('node:fs');
      const first = !fs.existsSync(${JSON.stringify(tried)});
      fs.writeFileSync(${JSON.stringify(tried)}, '');
      console.error(first ? ${JSON.stringify(connecting('write: broken pipe'))} : ${JSON.stringify(remote('expired certificate'))});
      process.exit(1);`);
    const answer = await createTemporalCliProbe({ program }).test(leaf, endpoint);
    assert.deepEqual(answer, { outcome: 'refused', layer: 'tls', reason: 'certificate expired' });
    const always = await saying(connecting('write: broken pipe'), 400);
    assert.equal(always.outcome, 'unreachable');
  });

  it('safety 35: a connection that broke was not accepted, though the next one is: it may be another front end', async () => {
    const tried = join(folder, 'tried-once');
    const program = await pretender(`
      const fs = require('node:fs');
      if (fs.existsSync(${JSON.stringify(tried)})) process.exit();
      fs.writeFileSync(${JSON.stringify(tried)}, '');
      console.error(${JSON.stringify(connecting('write: broken pipe'))});
      process.exit(1);`);
    assert.equal((await createTemporalCliProbe({ program }).test(leaf, endpoint)).outcome, 'unreachable');
  });

  it('safety 26: missing, not absolute, another file or too old: named, and not run', async () => {
    const old = await pretender('', '1.8.2');
    const cases: [Program, FailureType, RegExp][] = [
      [{ path: join(folder, 'nothing') }, 'ToolMissing', /nothing/],
      [{ path: 'temporal' }, 'ToolMissing', /no absolute path/],
      [{ ...old, sha256: '0'.repeat(64) }, 'ToolUnsuitable', /SHA-256/],
      [old, 'ToolUnsuitable', /v1\.8\.2; v1\.9\.0 or newer/],
      [{ path: process.execPath }, 'ToolUnsuitable', /does not tell/],
    ];
    for (const [program, type, message] of cases)
      await assert.rejects(createTemporalCliProbe({ program }).test(leaf, endpoint), { type, message });
  });

  it('safety 7: the key is in a file for its owner only, in no argument and no environment, and gone afterwards', async () => {
    const report = join(folder, 'report');
    const program = await pretender(`
      const fs = require('node:fs'), path = require('node:path');
      const file = process.argv.find((text) => text.startsWith('--tls-key-path=')).split('=')[1];
      const mode = (name) => fs.statSync(name).mode & 0o777;
      fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify({
        key: fs.readFileSync(file, 'utf8'), modes: [mode(file), mode(path.dirname(file))], argv: process.argv, env: process.env }));`);
    assert.equal((await createTemporalCliProbe({ program }).test(leaf, endpoint)).outcome, 'accepted');
    const { key, modes, ...outside } = JSON.parse(await readFile(report, 'utf8')) as Record<string, unknown>;
    assert.deepEqual([key, modes], [leaf.key.reveal(), [0o600, 0o700]]);
    assert.ok(!JSON.stringify(outside).includes(leaf.key.reveal().split('\n')[1]!));
    const left = (await readdir(temporaryRoot())).filter((name) => name.startsWith(`${process.pid}-`));
    assert.deepEqual(left, []);
  });
});
