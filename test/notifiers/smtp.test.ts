import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { createNotifier, notifierSchema } from '../../src/notifiers/index.js';
import type { Notifier } from '../../src/notifiers/notifier.js';
import { startMailServer, type MailServer, type MailServerOptions } from '../support/mail-server.js';
import { aNotification } from '../support/notification.js';
import { makeServerCertificate } from '../support/server-certificate.js';

describe('mail', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
  const certificate = makeServerCertificate(folder);
  const [user, password] = ['rotation', 'correct-horse-battery-staple'];
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password);
  let server: MailServer | undefined;

  afterEach(() => server?.stop());
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function mailing(config: object = {}, options: Partial<MailServerOptions> = {}): Promise<Notifier> {
    server = await startMailServer({ certificate, user, password, ...options });
    return createNotifier(
      'ops-mail',
      notifierSchema.parse({
        kind: 'smtp',
        host: 'localhost',
        port: server.port,
        serverRootsFile: certificate.certificateFile,
        auth: { user, password: { file: passwordFile } },
        from: 'rotation@acme.example',
        to: ['ops@acme.example', 'oncall@acme.example'],
        ...config,
      }),
    );
  }

  it('is one mail to all recipients, over TLS, marked as written by a program', async () => {
    const mail = await mailing();
    await mail.send(aNotification({ event: 'failed' }));
    const [taken, ...more] = server!.mails;
    assert.deepEqual(more, []);
    assert.deepEqual(taken?.to, ['ops@acme.example', 'oncall@acme.example']);
    assert.equal(taken.secure, true);
    assert.match(taken.raw, /^Auto-Submitted: auto-generated\r$/m);
    assert.match(taken.raw, /^X-Cert-Rotation-Event: failed\r$/m);
  });

  it('goes over TLS from the first byte where that is configured', async () => {
    const mail = await mailing({ security: 'tls' }, { implicitTls: true });
    await mail.send(aNotification());
    assert.equal(server!.mails[0]?.secure, true);
  });

  it('goes without TLS and without a password only to a relay that is configured so', async () => {
    const mail = await mailing({ security: 'none', auth: undefined }, { plain: true });
    await mail.send(aNotification());
    assert.equal(server!.mails[0]?.secure, false);
    const asked = notifierSchema.safeParse({
      kind: 'smtp',
      host: 'localhost',
      security: 'none',
      auth: { user, password: { file: passwordFile } },
      from: 'rotation@acme.example',
      to: ['ops@acme.example'],
    });
    assert.match(asked.error?.issues[0]?.message ?? '', /never sent without TLS/);
  });

  it('is not sent to a server that offers no TLS where TLS is demanded', async () => {
    const mail = await mailing({}, { plain: true });
    await assert.rejects(mail.send(aNotification()), { type: 'NotifierTlsFailed', retryable: false, fix: /security/ });
    assert.deepEqual(server!.mails, []);
  });

  for (const security of ['starttls', 'tls']) {
    it(`is not sent to a server whose certificate nobody vouches for (${security})`, async () => {
      const mail = await mailing({ security, serverRootsFile: undefined }, { implicitTls: security === 'tls' });
      await assert.rejects(mail.send(aNotification()), { type: 'NotifierTlsFailed', fix: /serverRootsFile/ });
      assert.deepEqual(server!.mails, []);
    });
  }

  it('names every recipient that the server refuses for good, and how to mend it', async () => {
    const mail = await mailing({}, { recipient: () => ({ code: 550, text: 'user unknown' }) });
    await assert.rejects(mail.send(aNotification()), {
      type: 'RecipientRefused',
      retryable: false,
      message: /ops@acme\.example, oncall@acme\.example.*550/,
      fix: /`from` and `to`/,
    });
  });

  it('reaches the others when one recipient is refused, and says who was', async () => {
    const mail = await mailing(
      {},
      { recipient: (to) => (to.startsWith('ops') ? { code: 550, text: 'user unknown' } : undefined) },
    );
    const { warnings } = await mail.send(aNotification());
    assert.deepEqual(server!.mails[0]?.to, ['oncall@acme.example']);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /ops@acme\.example/);
  });

  it('is tried again when the server only asks to come later (greylisting)', async () => {
    const mail = await mailing({}, { recipient: () => ({ code: 451, text: 'greylisted' }) });
    await assert.rejects(mail.send(aNotification()), { type: 'NotifierUnavailable', retryable: true });
  });

  it('is not tried again with a password that was refused', async () => {
    const mail = await mailing({}, { password: 'another' });
    await assert.rejects(mail.send(aNotification()), {
      type: 'NotifierUnauthenticated',
      retryable: false,
      fix: /reference/,
    });
  });
});
