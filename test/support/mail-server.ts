import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { ServerCertificate } from './server-certificate.js';

export interface MailServer {
  readonly port: number;
  /** Mails taken, as they came over the wire. */
  readonly mails: readonly { readonly to: readonly string[]; readonly raw: string; readonly secure: boolean }[];
  stop(): Promise<void>;
}

export interface MailServerOptions {
  readonly certificate: ServerCertificate;
  readonly user: string;
  readonly password: string;
  /** TLS from the first byte. */
  readonly implicitTls?: boolean;
  /** Does not know STARTTLS. */
  readonly plain?: boolean;
  /** The answer to each recipient; undefined = taken. */
  readonly recipient?: (address: string) => { code: number; text: string } | undefined;
  /** The answer to the mail itself; undefined = taken. */
  readonly content?: () => { code: number; text: string } | undefined;
}

/** A real SMTP server on loopback that knows one user. */
export async function startMailServer(options: MailServerOptions): Promise<MailServer> {
  const { certificate, user, password, implicitTls = false, plain = false } = options;
  const mails: { to: string[]; raw: string; secure: boolean }[] = [];
  const server = new SMTPServer({
    key: readFileSync(certificate.keyFile),
    cert: readFileSync(certificate.certificateFile),
    secure: implicitTls,
    ...(plain && { disabledCommands: ['STARTTLS'] }),
    authOptional: true,
    disableReverseLookup: true,
    onAuth: (login, _session, done) => {
      if (login.username === user && login.password === password) return done(null, { user });
      done(refusal({ code: 535, text: `no such password: ${login.password}` }));
    },
    onRcptTo: ({ address }, _session, done) => {
      const refused = options.recipient?.(address);
      done(refused && refusal(refused));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const refused = options.content?.();
        if (refused) return done(refusal(refused));
        const to = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ to, raw: Buffer.concat(chunks).toString('utf8'), secure: session.secure });
        done();
      });
    },
  });
  // A client that goes away in the middle of a handshake is what some tests are about.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return { port, mails, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}

function refusal({ code, text }: { code: number; text: string }): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
