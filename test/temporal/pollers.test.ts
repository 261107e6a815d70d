import assert from 'node:assert/strict';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { pollersOf } from '../../src/temporal/pollers.js';

/** gRPC status UNIMPLEMENTED, at once: an old server's answer to what it does not know. */
const unimplemented = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' };

const { DescribeTaskQueueRequest, DescribeTaskQueueResponse } = proto.temporal.api.workflowservice.v1;

describe('pollersOf', () => {
  it('names who polls for workflow tasks and who polls for activity tasks, each with when they did last', async () => {
    const server = http2.createServer();
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => void sessions.add(session));
    server.on('stream', (stream, headers) => {
      if (!headers[':path']?.endsWith('/DescribeTaskQueue')) return stream.respond(unimplemented, { endStream: true });
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { taskQueueType } = DescribeTaskQueueRequest.decode(Buffer.concat(chunks).subarray(5));
        const lastAccessTime = { seconds: (1_800_000_000 + taskQueueType) as unknown as Long, nanos: 5_000_000 };
        const pollers = [{ identity: `of type ${taskQueueType}`, lastAccessTime }];
        const answer = Buffer.from(DescribeTaskQueueResponse.encode({ pollers }).finish());
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(answer.length, 1);
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.concat([prefix, answer]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connection = await Connection.connect({ address });
    try {
      const client = new Client({ connection, namespace: 'booking' });
      assert.deepEqual(await pollersOf(client, { namespace: 'booking', name: 'queue' }), [
        { identity: 'of type 1', lastAccessTime: '2027-01-15T08:00:01.005Z' },
        { identity: 'of type 2', lastAccessTime: '2027-01-15T08:00:02.005Z' },
      ]);
    } finally {
      await connection.close();
      sessions.forEach((session) => session.destroy());
      server.close();
    }
  });

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
