import net from 'node:net';
import tls from 'node:tls';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { presented } from '../x509/chain.js';
import { clientTls } from '../x509/client-tls.js';
import type { KeyPair } from '../x509/pair.js';
import { isCertificateAlert } from './alerts.js';
import { hostAndPort, type Endpoint, type Probe, type ProbeResult } from './probe.js';

/** gRPC status codes that say no: NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED (grpc.io/docs/guides/status-codes). */
const refusals = new Set([5, 7, 16]);
/** An HTTP/2 client begins with these bytes (RFC 9113 3.4) and an empty SETTINGS frame. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

export interface ClientProbeOptions {
  /** For the handshake and for the calls, each. */
  readonly deadlineMs?: number;
}

/** Probe `client`: a TLS handshake that names the alert when it is refused, then real RPCs over a fresh connection. */
export function createClientProbe({ deadlineMs = 5000 }: ClientProbeOptions = {}): Probe {
  return {
    async test(leaf, endpoint) {
      const shaken = await handshake(leaf, endpoint, deadlineMs);
      return shaken.outcome === 'accepted' ? call(leaf, endpoint, deadlineMs, shaken.remote) : shaken;
    },
  };
}

/**
 * With TLS 1.3 the server judges the client's certificate after the client believes that it is connected: only the first
 * bytes from the server prove that it was accepted.
 */
function handshake(leaf: KeyPair, endpoint: Endpoint, deadlineMs: number): Promise<ProbeResult> {
  const { host, port } = hostAndPort(endpoint.address);
  const serverName = endpoint.serverName ?? host;
  return new Promise((resolve) => {
    const socket = tls.connect({
      host,
      port,
      ...(net.isIP(serverName) ? {} : { servername: serverName }),
      ALPNProtocols: ['h2'],
      cert: presented(leaf),
      key: leaf.key.reveal(),
      ...(endpoint.serverRoots && { ca: endpoint.serverRoots }),
    });
    const done = (result: ProbeResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(deadlineMs, () => done({ outcome: 'unreachable', reason: `no answer in ${deadlineMs} ms` }));
    socket.once('secureConnect', () => socket.write(preface));
    socket.once('data', () => done({ outcome: 'accepted', remote: `${socket.remoteAddress}:${socket.remotePort}` }));
    socket.once('error', (error: NodeJS.ErrnoException) => done(judge(error)));
    socket.once('close', () => done({ outcome: 'unreachable', reason: 'the connection was closed without a reason' }));
  });
}

/** Only an alert is the server's word: a connection that breaks proves nothing about the certificate. */
function judge({ code = '', message }: NodeJS.ErrnoException): ProbeResult {
  const alert = code.includes('_ALERT_') ? alertName(code) : '';
  if (isCertificateAlert(alert)) return { outcome: 'refused', layer: 'tls', reason: alert };
  return { outcome: 'unreachable', reason: code === '' ? message : `${code}: ${message}` };
}

/** `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` → `unknown ca`. */
function alertName(code: string): string {
  return code
    .slice(code.indexOf('_ALERT_') + '_ALERT_'.length)
    .toLowerCase()
    .replaceAll('_', ' ');
}

async function call(leaf: KeyPair, endpoint: Endpoint, deadlineMs: number, remote: string): Promise<ProbeResult> {
  const connection = Connection.lazy({
    address: endpoint.address,
    connectTimeout: deadlineMs,
    // No second try: it may reach another front end, which admits what this one refused.
    interceptors: [],
    tls: clientTls(leaf, { ...endpoint, serverName: endpoint.serverName ?? hostAndPort(endpoint.address).host }),
  });
  let asked = 'any call';
  try {
    await connection.withDeadline(Date.now() + deadlineMs, async () => {
      await connection.workflowService.getSystemInfo({});
      asked = `the namespace ${endpoint.namespace}`;
      await connection.workflowService.describeNamespace({ namespace: endpoint.namespace });
    });
    return { outcome: 'accepted', remote };
  } catch (error) {
    if (isGrpcServiceError(error) && refusals.has(error.code))
      return { outcome: 'refused', layer: 'rpc', reason: `${asked}: ${error.details}`, remote };
    return { outcome: 'unreachable', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await connection.close();
  }
}
