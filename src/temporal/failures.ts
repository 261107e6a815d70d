import net from 'node:net';
import { status } from '@grpc/grpc-js';
import { isGrpcServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { short } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { createClientProbe } from '../probes/client.js';
import type { KeyPair } from '../x509/pair.js';

const unreachable = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED]);
const refused = new Set([status.PERMISSION_DENIED, status.UNAUTHENTICATED]);

/** A call's error where it is about our connection to Temporal; undefined where it is about something else. */
export function temporalFailure(error: unknown): RotationError | undefined {
  if (error instanceof RotationError) return error;
  if (error instanceof NamespaceNotFoundError)
    return new RotationError('TemporalNamespaceUnknown', `Temporal knows no namespace "${error.namespace}".`);
  if (isGrpcServiceError(error)) {
    // "Namespace x is not found.", as opposed to a workflow or a schedule that is not.
    if (error.code === status.NOT_FOUND && /^namespace/i.test(error.details))
      return new RotationError('TemporalNamespaceUnknown', `Temporal answered: ${error.details}`);
    const said = `Temporal answered ${status[error.code]}: ${inShort(error.details)}.`;
    if (refused.has(error.code)) return new RotationError('TemporalRefused', said);
    if (unreachable.has(error.code)) return new RotationError('TemporalUnreachable', said);
  }
  return error instanceof Error && error.cause ? temporalFailure(error.cause) : undefined;
}

/** Of what the TLS library says across several lines, the name of the alert. */
function inShort(details: string): string {
  const [, alert] = /\balert ([a-z ]+)/.exec(details) ?? [];
  if (alert) return `no connection, TLS alert ${alert}`;
  return details.split('\n')[0]!.replace(/\.$/, '') || 'no reason given';
}

/** What a failed connection was made with. */
export interface Attempt {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  readonly pair?: KeyPair | undefined;
  readonly certificateFile?: string | undefined;
  readonly serverName?: string | undefined;
  /** PEM. */
  readonly serverRoots?: string | undefined;
}

/** Why a connection failed. */
export async function whyNotConnected(attempt: Attempt, error: unknown): Promise<RotationError> {
  return (await whyRefused(attempt)) ?? temporalFailure(error) ?? noAnswer(attempt.address, messageOf(error));
}

/**
 * Why a connection will not come to be: a handshake of our own names the TLS reason, which the gRPC client keeps to itself.
 * Undefined when nothing stands in its way.
 */
export async function whyRefused(attempt: Attempt): Promise<RotationError | undefined> {
  const { address, namespace, pair, certificateFile, serverName, serverRoots } = attempt;
  if (!pair) {
    const reason = await portFailure(address);
    return reason === undefined ? undefined : noAnswer(address, reason);
  }
  const endpoint = { namespace, address, ...(serverName && { serverName }), ...(serverRoots && { serverRoots }) };
  const result = await createClientProbe().test(pair, endpoint);
  if (result.outcome === 'accepted') return undefined;
  if (result.outcome === 'unreachable') return noAnswer(address, result.reason);
  const { fingerprint, notAfter } = pair.certificate;
  const certificate = `${certificateFile ?? 'the client certificate'} (${short(fingerprint)}, valid until ${notAfter})`;
  const where = result.layer === 'tls' ? 'in the TLS handshake' : 'with PERMISSION_DENIED';
  return new RotationError('TemporalRefused', `${address} refuses ${certificate} ${where}: ${result.reason}.`);
}

function noAnswer(address: string, reason: string): RotationError {
  return new RotationError('TemporalUnreachable', `Temporal cannot be reached at ${address}: ${reason}.`);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The reason why the port does not even accept; undefined when it does. */
function portFailure(address: string): Promise<string | undefined> {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    const done = (reason?: string) => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(5000, () => done('no answer in 5 s'));
    socket.once('connect', () => done());
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
}
