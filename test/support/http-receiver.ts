import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpReceiver {
  /** `http://127.0.0.1:<port>`. */
  readonly address: string;
  /** Requests answered with 2xx. */
  readonly taken: Received[];
  /** How the next requests are answered. */
  answer: (request: Received, response: ServerResponse) => void;
  stop(): Promise<void>;
}

/** A real HTTP server on loopback that remembers what it took. */
export async function startHttpReceiver(): Promise<HttpReceiver> {
  const taken: Received[] = [];
  const server = createServer((request, response) => {
    void read(request).then((received) => {
      response.on('finish', () => {
        if (response.statusCode < 300) taken.push(received);
      });
      receiver.answer(received, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: HttpReceiver = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    answer: (_request, response) => void response.end('ok'),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
}
