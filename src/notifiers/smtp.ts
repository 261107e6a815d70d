import { readFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import { filePath, hostName, plainText, secretReference } from '../config/fields.js';
import { resolveSecret } from '../config/references.js';
import { RotationError, type FailureType } from '../domain/failures.js';
import type { Notification } from '../domain/notification.js';
import { everyNotifier } from './fields.js';
import type { Notifier } from './notifier.js';
import { isTlsFailure } from './tls.js';

export const smtpSchema = z
  .strictObject({
    kind: z.literal('smtp'),
    host: hostName,
    port: z.int().min(1).max(65_535).default(587),
    /** `starttls`: demanded, not only offered (587). `tls`: from the first byte (465). `none`: a relay of your own. */
    security: z.enum(['starttls', 'tls', 'none']).default('starttls'),
    /** Roots that signed the server's certificate, PEM file; absent = the system's. */
    serverRootsFile: filePath.optional(),
    auth: z.strictObject({ user: plainText, password: secretReference }).optional(),
    from: z.email(),
    to: z.array(z.email()).min(1),
    ...everyNotifier,
  })
  .refine(({ auth, security }) => !auth || security !== 'none', {
    path: ['security'],
    message: 'a password is never sent without TLS: use starttls or tls',
  });

type SmtpConfig = z.infer<typeof smtpSchema>;

/** Notifier `smtp`: one mail to all recipients, over a connection of its own. */
export function createSmtpNotifier(notifier: string, config: SmtpConfig): Notifier {
  return {
    async send(notification) {
      const transport = createTransport(await connectionOf(notifier, config));
      try {
        const { rejected } = await transport.sendMail({
          ...mailOf(config, notification),
          signal: AbortSignal.timeout(config.timeout),
        });
        return { warnings: rejected.map((address) => `${notifier}: the server refused ${address}; the others got it`) };
      } catch (error) {
        throw smtpFailure(notifier, config, error as SmtpError);
      } finally {
        transport.close();
      }
    },
  };
}

async function connectionOf(notifier: string, { host, port, security, serverRootsFile, auth, timeout }: SmtpConfig) {
  return {
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { minVersion: 'TLSv1.2', ...(serverRootsFile && { ca: await rootsOf(notifier, serverRootsFile) }) } as const,
    ...(auth && { auth: { user: auth.user, pass: await resolveSecret(auth.password) } }),
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: timeout,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

async function rootsOf(notifier: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new RotationError(
      'ReferenceUnreadable',
      `The serverRootsFile ${file} of ${notifier} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}

/** The Message-ID is the notification's id: mail servers and readers know a repeated attempt by it. */
function mailOf({ from, to }: SmtpConfig, { id, title, lines, commands, workflow, event }: Notification) {
  const paragraphs = [
    lines.join('\n'),
    ...(commands.length > 0 ? [`What you can run now:\n${commands.map((command) => `  ${command}`).join('\n')}`] : []),
    ...(workflow ? [`Told by ${workflow.workflowId} (run ${workflow.runId}).`] : []),
  ];
  return {
    from,
    to: [...to],
    subject: `[cert-rotation] ${title}`,
    text: `${paragraphs.join('\n\n')}\n`,
    messageId: `<${id}@${from.slice(from.indexOf('@') + 1)}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Cert-Rotation-Event': event },
  };
}

/** What nodemailer's errors say (its errors.js). Of the server's words only the code is used. */
interface SmtpError {
  readonly code?: string;
  /** The system's or OpenSSL's code below it. */
  readonly originalCode?: string;
  readonly responseCode?: number;
  /** The SMTP command that failed. */
  readonly command?: string;
  readonly rejected?: readonly string[];
}

function smtpFailure(notifier: string, config: SmtpConfig, error: SmtpError): RotationError {
  const { code = 'no code', originalCode, responseCode } = error;
  const said = [code, originalCode, responseCode && `SMTP ${responseCode}`].filter(Boolean).join(', ');
  return new RotationError(
    failureType(error),
    `${notifier} does not take the mail${whose(config, error)} (${said}); it was not sent.`,
  );
}

function whose({ from, to }: SmtpConfig, { code, command, rejected }: SmtpError): string {
  if (code !== 'EENVELOPE') return '';
  return command === 'MAIL FROM' ? ` from ${from}` : ` for ${(rejected?.length ? rejected : to).join(', ')}`;
}

/** What SMTP calls permanent (5yz) is not tried again, and neither is what only a person can change. */
function failureType({ code, originalCode, responseCode }: SmtpError): FailureType {
  if (code === 'ETLS' || isTlsFailure(originalCode ?? '')) return 'NotifierTlsFailed';
  if (code === 'EAUTH' && (responseCode ?? 500) >= 500) return 'NotifierUnauthenticated';
  if ((responseCode ?? 0) < 500) return 'NotifierUnavailable';
  return code === 'EENVELOPE' ? 'RecipientRefused' : 'NotifierRefused';
}
