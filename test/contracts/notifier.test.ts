import { createServer, type AddressInfo, type Server } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { createLogNotifier } from '../../src/notifiers/log.js';
import { createNotifier, notifierSchema } from '../../src/notifiers/index.js';
import { freePorts } from '../../src/sandbox/ports.js';
import { startHttpReceiver, type Received } from '../support/http-receiver.js';
import { startMailServer } from '../support/mail-server.js';
import { makeServerCertificate } from '../support/server-certificate.js';
import { notifierContract, type FarSide, type Fault } from './notifier.js';

const folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const certificate = makeServerCertificate(folder);

const password = 'correct-horse-battery-staple';
const token = 'T000/B000/sEcReTtOkEn';
const hmacSecret = Buffer.from('a secret that signs webhooks').toString('base64');

function secretFile(name: string, value: string): { file: string } {
  const file = join(folder, name);
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
  return { file };
}

notifierContract({
  kind: 'smtp',
  secrets: [password, Buffer.from(password).toString('base64')],
  faults: {
    absent: 'NotifierUnavailable',
    silent: 'NotifierUnavailable',
    busy: 'NotifierUnavailable',
    refusing: 'NotifierRefused',
    distrusting: 'NotifierUnauthenticated',
    unresolved: 'ReferenceUnreadable',
  },
  async open(fault) {
    const answers = { busy: 451, refusing: 554 } as Partial<Record<Fault, number>>;
    const code = fault && answers[fault];
    const server = await startMailServer({
      certificate,
      user: 'rotation',
      password: fault === 'distrusting' ? 'another' : password,
      content: () => (code ? { code, text: `not taken; you are ${password}` } : undefined),
    });
    const lonely = await withoutAnswer(fault);
    const config = notifierSchema.parse({
      kind: 'smtp',
      host: 'localhost',
      port: lonely?.port ?? server.port,
      serverRootsFile: certificate.certificateFile,
      auth: { user: 'rotation', password: passwordReference(fault) },
      from: 'rotation@acme.example',
      to: ['ops@acme.example'],
      timeout: '2s',
    });
    return {
      notifier: createNotifier('ops-mail', config),
      taken: () => server.mails.map(({ raw }) => unfolded(raw)),
      ids: () => server.mails.map(({ raw }) => /^message-id: (.*)$/im.exec(raw)?.[1] ?? 'none'),
      stop: async () => {
        await server.stop();
        await lonely?.stop();
      },
    };
  },
});

function passwordReference(fault: Fault | undefined) {
  return fault === 'unresolved' ? { file: join(folder, 'nowhere') } : secretFile('password', password);
}

/** A mail with its headers unfolded and its body decoded from quoted-printable. */
function unfolded(raw: string): string {
  return raw
    .replace(/\r\n[ \t]/g, ' ')
    .replace(/=\r\n/g, '')
    .replace(/=3D/g, '=');
}

function httpFarSide(kind: 'webhook' | 'slack', textOf: (received: Received) => string) {
  return async (fault?: Fault): Promise<FarSide> => {
    const receiver = await startHttpReceiver();
    const statuses = { busy: 503, refusing: 404, distrusting: 403 } as Partial<Record<Fault, number>>;
    const status = fault && statuses[fault];
    if (status)
      receiver.answer = ({ path, headers, body }, response) =>
        void response.writeHead(status).end(JSON.stringify({ path, headers, body }));
    const lonely = await withoutAnswer(fault);
    const address = lonely ? `http://127.0.0.1:${lonely.port}` : receiver.address;
    const reference =
      fault === 'unresolved' ? { file: join(folder, 'nowhere') } : secretFile(kind, `${address}/services/${token}`);
    const secret = kind === 'webhook' && { secret: secretFile('hmac', `whsec_${hmacSecret}`) };
    const config = notifierSchema.parse({ kind, url: reference, ...secret, timeout: '2s' });
    return {
      notifier: createNotifier(`ops-${kind}`, config),
      taken: () => receiver.taken.map(textOf),
      ...(kind === 'webhook' && { ids: () => receiver.taken.map(({ headers }) => String(headers['webhook-id'])) }),
      stop: async () => {
        await receiver.stop();
        await lonely?.stop();
      },
    };
  };
}

const httpFaults = {
  absent: 'NotifierUnavailable',
  silent: 'NotifierUnavailable',
  busy: 'NotifierUnavailable',
  refusing: 'NotifierRefused',
  distrusting: 'NotifierUnauthenticated',
  unresolved: 'ReferenceUnreadable',
} as const;

notifierContract({
  kind: 'webhook',
  secrets: [token, hmacSecret],
  faults: httpFaults,
  open: httpFarSide('webhook', ({ body }) => {
    const { data } = JSON.parse(body) as { data: Record<string, unknown> };
    const { title, lines, commands, workflow } = data as { [key: string]: string[] };
    return [title, ...lines!, ...commands!, (workflow as unknown as { workflowId: string }).workflowId].join('\n');
  }),
});

notifierContract({
  kind: 'slack',
  secrets: [token],
  faults: httpFaults,
  open: httpFarSide('slack', ({ body }) =>
    (JSON.parse(body) as { text: string }).text
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&'),
  ),
});

notifierContract({
  kind: 'log',
  secrets: [],
  faults: {},
  async open() {
    const written: string[] = [];
    return {
      notifier: createLogNotifier('ops-log', { write: (line) => void written.push(line) }),
      taken: () => written,
      ids: () => written.map((line) => (JSON.parse(line) as { id: string }).id),
      stop: async () => undefined,
    };
  },
});

/** For `absent`, a port where nobody listens; for `silent`, one that takes connections and says nothing. */
async function withoutAnswer(fault: Fault | undefined): Promise<{ port: number; stop(): Promise<void> } | undefined> {
  if (fault === 'absent') return { port: (await freePorts(1))[0]!, stop: async () => undefined };
  if (fault !== 'silent') return undefined;
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer((socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        sockets.forEach((socket) => socket.destroy());
        server.close(() => resolve());
      }),
  };
}
