import { Duplex, PassThrough } from 'node:stream';
import tls from 'node:tls';
import type { CertificateFacts } from '../domain/certificate.js';
import { presented } from './chain.js';
import type { KeyPair } from './pair.js';

/**
 * Would a TLS server that trusts `roots` admit this leaf? Judged by a real handshake in memory, so that path lengths,
 * purposes and name constraints are minded as servers mind them (safety 3). Undefined, or the reason of the refusal:
 * `PATH_LENGTH_EXCEEDED`.
 */
export async function admissionRefusal(leaf: KeyPair, roots: readonly CertificateFacts[]): Promise<string | undefined> {
  const [forth, back] = [new PassThrough(), new PassThrough()];
  const identity = { cert: presented(leaf), key: leaf.key.reveal() };
  const server = tls.createServer({
    ...identity,
    requestCert: true,
    rejectUnauthorized: false,
    ca: roots.map(({ pem }) => pem),
  });
  // It talks to itself: only the server judges.
  const connect = () =>
    tls.connect({
      ...identity,
      socket: Duplex.from({ readable: back, writable: forth }),
      rejectUnauthorized: false,
    });
  let client: tls.TLSSocket | undefined;
  try {
    return await new Promise((resolve, reject) => {
      // `authorizationError` is the reason's code, whatever its type says.
      server.once('secureConnection', ({ authorizationError }) => resolve(authorizationError?.toString()));
      server.once('tlsClientError', reject);
      server.emit('connection', Duplex.from({ readable: forth, writable: back }));
      client = connect().once('error', reject);
    });
  } finally {
    client?.destroy();
  }
}
