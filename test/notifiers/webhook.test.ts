import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { createNotifier, notifierSchema } from '../../src/notifiers/index.js';
import type { Notifier } from '../../src/notifiers/notifier.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { aNotification } from '../support/notification.js';

describe('webhook', () => {
  const secretVariable = 'TEST_WEBHOOK_SECRET';
  const urlVariable = 'TEST_WEBHOOK_URL';
  let receiver: HttpReceiver;

  beforeEach(async () => (receiver = await startHttpReceiver()));
  afterEach(async () => {
    await receiver.stop();
    delete process.env[secretVariable];
    delete process.env[urlVariable];
  });

  function posting(config: object = {}): Notifier {
    return createNotifier('ops', notifierSchema.parse({ kind: 'webhook', url: `${receiver.address}/in`, ...config }));
  }

  for (const prefix of ['whsec_', '']) {
    it(`is signed so that a Standard Webhooks library verifies it (secret ${prefix || 'without prefix'})`, async () => {
      const secret = prefix + randomBytes(32).toString('base64');
      process.env[secretVariable] = secret;
      await posting({ secret: { env: secretVariable } }).send(aNotification());
      const [{ body, headers }] = receiver.taken as [(typeof receiver.taken)[number]];
      const given = headers as Record<string, string>;
      const library = new Webhook(secret);
      assert.deepEqual(library.verify(body, given), JSON.parse(body));
      assert.throws(() => library.verify(body.replace('temporal-booking', 'another'), given));
      assert.throws(() => new Webhook(randomBytes(32).toString('base64')).verify(body, given));
    });
  }

  it('has the payload of version 1, as documented', async () => {
    const certificates = [
      {
        fingerprint: 'ab'.repeat(32),
        sha1: 'cd'.repeat(20),
        subject: 'O=Acme',
        notAfter: '2026-12-01T00:00:00.000Z',
        places: ['trusted by orders.acct1'],
      },
    ];
    const notification = aNotification({ event: 'expiry', certificates });
    await posting().send(notification);
    const { id, at, severity, title, lines, commands, workflow } = notification;
    assert.deepEqual(JSON.parse(receiver.taken[0]!.body), {
      version: 1,
      id,
      type: 'expiry',
      timestamp: at,
      data: { severity, title, lines, commands, workflow, certificates },
    });
    assert.equal(receiver.taken[0]!.headers['webhook-id'], id);
    assert.equal(receiver.taken[0]!.headers['webhook-signature'], undefined);
  });

  it('does not follow a redirect: it would carry the message elsewhere', async () => {
    const elsewhere = await startHttpReceiver();
    try {
      receiver.answer = (_request, response) =>
        void response.writeHead(307, { location: `${elsewhere.address}/in` }).end();
      await assert.rejects(posting().send(aNotification()), { type: 'NotifierRefused' });
      assert.deepEqual(elsewhere.taken, []);
    } finally {
      await elsewhere.stop();
    }
  });

  it('is not sent with a secret that signs nothing, and does not print it', async () => {
    process.env[secretVariable] = 'too-short';
    await assert.rejects(posting({ secret: { env: secretVariable } }).send(aNotification()), {
      type: 'ReferenceUnreadable',
      message: 'The secret of ops is not 24 to 64 bytes in base64.',
    });
    assert.deepEqual(receiver.taken, []);
  });

  for (const [what, url] of Object.entries({
    'is no URL': 'hooks.example/token',
    'is not of http': 'ftp://hooks.example/token',
    'has a user in it': 'https://user:token@hooks.example/',
    'cannot be resolved': 'http://token.invalid./',
  })) {
    it(`prints nothing of an address that ${what}`, async () => {
      process.env[urlVariable] = url;
      await assert.rejects(
        posting({ url: { env: urlVariable }, timeout: '5s' }).send(aNotification()),
        (error: Error) => {
          assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)}`, /hooks\.example|token|user:/);
          return true;
        },
      );
    });
  }
});
