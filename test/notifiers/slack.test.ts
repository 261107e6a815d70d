import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createNotifier, notifierSchema } from '../../src/notifiers/index.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { aNotification } from '../support/notification.js';

describe('Slack message', () => {
  const variable = 'TEST_SLACK_URL';
  let receiver: HttpReceiver;

  beforeEach(async () => {
    receiver = await startHttpReceiver();
    process.env[variable] = `${receiver.address}/services/T000/B000/token`;
  });
  afterEach(async () => {
    await receiver.stop();
    delete process.env[variable];
  });

  async function textOf(fields: Parameters<typeof aNotification>[0]): Promise<string> {
    const slack = createNotifier('ops', notifierSchema.parse({ kind: 'slack', url: { env: variable } }));
    await slack.send(aNotification(fields));
    return (JSON.parse(receiver.taken.at(-1)!.body) as { text: string }).text;
  }

  it('calls nobody, whatever stands in a certificate of somebody else', async () => {
    const text = await textOf({ title: 'CA (O=<!channel>) & more', lines: ['O=<https://elsewhere.example|click>'] });
    assert.match(text, /CA \(O=&lt;!channel&gt;\) &amp; more/);
    assert.doesNotMatch(text, /<[^y]/);
  });

  it('keeps below what Slack asks for, and keeps the commands, however much there is to tell', async () => {
    const lines = Array.from({ length: 200 }, (_, index) => `CA ${index} (O=${'x'.repeat(60)}) expires in 7 days`);
    const text = await textOf({ lines });
    assert.ok(text.length < 4000, `${text.length} characters`);
    assert.match(text, /… and \d+ more/);
    assert.match(text, /`cert-rotation approve temporal-booking --who &lt;you&gt; --why &lt;reason&gt;`/);
    const shown = text.split('\n').filter((line) => line.startsWith('•')).length;
    assert.match(text, new RegExp(`… and ${200 - shown} more`));
  });

  it('shows the beginning of a failure that is told at length', async () => {
    const text = await textOf({ lines: [`The rollout failed: ${'x'.repeat(9000)}`] });
    assert.ok(text.length < 4000, `${text.length} characters`);
    assert.match(text, /• The rollout failed: x+…/);
  });

  it('is configured by reference only: an address in the file would be a secret in the file', () => {
    assert.equal(notifierSchema.safeParse({ kind: 'slack', url: receiver.address }).success, false);
  });
});
