import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it, mock } from 'node:test';
import { main } from '../../src/cli/main.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { runStarter } from '../support/starter.js';

describe('cert-rotation notify test', () => {
  const token = 'T000/B000/sEcReTtOkEn';
  let folder: string;
  let receiver: HttpReceiver;
  let printed: string[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    receiver = await startHttpReceiver();
    writeFileSync(join(folder, 'slack-url'), `${receiver.address}/services/${token}\n`);
    writeFileSync(
      join(folder, 'rotation.yaml'),
      `version: 1
temporal: {}
cloud: { kind: ops-api, apiKey: { env: NOT_NEEDED } }
keystore: { kind: kubernetes, allowPlaintext: true }
namespaces: { orders.acct1: {} }
authorities: { orders: { subject: { organization: Acme }, namespaces: [orders.acct1] } }
targets: {}
notifiers:
  ops-slack: { kind: slack, url: { file: slack-url } }
  ops-log: { kind: log }
`,
    );
    for (const method of ['log', 'error'] as const)
      mock.method(console, method, (line: string) => void printed.push(line));
  });
  beforeEach(() => {
    printed = [];
    receiver.taken.length = 0;
    receiver.answer = (_request, response) => void response.end('ok');
  });
  after(async () => {
    mock.restoreAll();
    await receiver.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: readonly string[]) =>
    main(['node', 'cert-rotation', '--config', join(folder, 'rotation.yaml'), ...args]);

  it('sends a message that says that nothing happened, with a reference relative to the file', async () => {
    assert.equal(await run('notify', 'test', 'ops-slack'), 0);
    assert.match(receiver.taken[0]!.body, /Test of the notifier ops-slack.*Nothing happened/);
    assert.deepEqual(printed, ['ops-slack (slack) has taken the test message']);
  });

  it('answers one JSON document where that is asked for', async () => {
    assert.equal(await run('-o', 'json', 'notify', 'test', 'ops-slack'), 0);
    const { notifier, kind, warnings } = JSON.parse(printed.join('\n')) as Record<string, unknown>;
    assert.deepEqual({ notifier, kind, warnings }, { notifier: 'ops-slack', kind: 'slack', warnings: [] });
  });

  it('prints the line of a log notifier beside the answer, not into it', async () => {
    const args = ['--config', join(folder, 'rotation.yaml'), '-o', 'json', 'notify', 'test', 'ops-log'];
    const { code, stdout, stderr } = await runStarter(args);
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { kind: string }).kind, 'log');
    assert.equal((JSON.parse(stderr) as { msg: string }).msg, 'Test of the notifier ops-log');
  });

  it('names the notifiers that there are when asked for another', async () => {
    assert.equal(await run('notify', 'test', 'nobody'), 2);
    assert.match(printed.join('\n'), /has no notifier "nobody"\. It has: ops-slack, ops-log/);
  });

  it('says why a message was not taken and what to do, and prints nothing of the address', async () => {
    receiver.answer = ({ path }, response) => void response.writeHead(404).end(`no such webhook: ${path}`);
    assert.equal(await run('-o', 'json', 'notify', 'test', 'ops-slack'), 1);
    assert.match(printed.join('\n'), /ops-slack answers HTTP 404.*for Slack, that the webhook was not revoked/);
    assert.ok(!printed.join('\n').includes('sEcReT'));
  });
});
