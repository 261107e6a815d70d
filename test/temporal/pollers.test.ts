import assert from 'node:assert/strict';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { pollersOf } from '../../src/temporal/pollers.js';

/** gRPC status UNIMPLEMENTED, at once: an old server's answer to what it does not know. */
const unimplemented = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' };

describe('pollersOf', () => {
  it('a Temporal that takes the call and never answers is given up in seconds', { timeout: 30_000 }, async () => {
    const sessions = new Set<http2.ServerHttp2Session>();
    const server = http2.createServer();
    server.on('session', (session) => void sessions.add(session));
    server.on('stream', (stream, headers) => {
      if (headers[':path']?.endsWith('/GetSystemInfo')) stream.respond(unimplemented, { endStream: true });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connection = await Connection.connect({ address });
    try {
      const client = new Client({ connection, namespace: 'silent' });
      await assert.rejects(pollersOf(client, { namespace: 'silent', name: 'queue' }), /DEADLINE_EXCEEDED/);
    } finally {
      await connection.close();
      sessions.forEach((session) => session.destroy());
      server.close();
    }
  });
});
