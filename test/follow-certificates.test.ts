import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { followCertificates, type FollowedConnection } from '../src/follow-certificates.js';
import type { KeyPair } from '../src/x509/pair.js';
import { readCertificates } from '../src/x509/read.js';
import { aCa, aLeaf } from './support/certificates.js';
import { eventually } from './support/eventually.js';
import { makeServerCertificate } from './support/server-certificate.js';

const namespace = 'shop.acct';

/** Over mutual TLS, it answers every call with an empty message, and notes which leaf it came with. */
class AnyTemporal {
  readonly calls: { readonly method: string; readonly leaf: string }[] = [];
  readonly #server: http2.Http2SecureServer;
  readonly #sessions = new Set<http2.ServerHttp2Session>();

  constructor(options: http2.SecureServerOptions) {
    this.#server = http2.createSecureServer({ ...options, requestCert: true });
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    this.#server.on('stream', (stream, headers) => {
      const { raw } = (stream.session!.socket as TLSSocket).getPeerCertificate();
      const pem = `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
      const [leaf] = readCertificates(pem);
      this.calls.push({ method: String(headers[':path']).split('/').at(-1)!, leaf: leaf!.fingerprint });
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  lastLeafOf(method: string): string | undefined {
    return this.calls.findLast((call) => call.method === method)?.leaf;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sessions.size;
  }

  close(): void {
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
  }
}

describe('a process that is a client only', () => {
  let folder: string;
  let ca: KeyPair;
  let temporal: AnyTemporal;
  let certificates: FollowedConnection;
  let files: { readonly certificateFile: string; readonly keyFile: string };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    files = { certificateFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
    ca = await aCa();
    const server = makeServerCertificate(folder, ['basicConstraints=critical,CA:FALSE']);
    const [cert, key] = await Promise.all([readFile(server.certificateFile), readFile(server.keyFile)]);
    temporal = new AnyTemporal({ cert, key, ca: ca.certificate.pem });
    const address = await temporal.listen();
    await place(await aLeaf(ca));
    const serverRootsFile = server.certificateFile;
    certificates = await followCertificates({ address, namespace, ...files, serverName: 'localhost', serverRootsFile });
  });
  after(async () => {
    temporal?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function place({ certificate, key }: KeyPair): Promise<void> {
    await writeFile(files.keyFile, key.reveal(), { mode: 0o600 });
    await writeFile(files.certificateFile, certificate.pem);
  }

  it('follows its certificate without any worker: later calls, of a client that it kept, come with the new one', async () => {
    certificates.follow();
    const kept = certificates.client();
    const call = () => kept.workflowService.listWorkflowExecutions({ namespace });
    await call();
    const former = temporal.lastLeafOf('ListWorkflowExecutions');
    assert.equal(former, certificates.presented());

    const renewed = await aLeaf(ca);
    await place(renewed);
    await eventually(async () => certificates.presented() === renewed.certificate.fingerprint);
    await kept.withDeadline(Date.now() + 10_000, call);
    assert.equal(temporal.lastLeafOf('ListWorkflowExecutions'), renewed.certificate.fingerprint);
    assert.equal(certificates.client(), kept);
  });

  it('and reports what it presents, over the connection that presents it', async () => {
    await eventually(async () => temporal.lastLeafOf('PollActivityTaskQueue') === certificates.presented());
  });

  it('and keeps no connection once it is closed, the former ones included', async () => {
    await certificates.close();
    await eventually(async () => temporal.connections === 0, 10_000);
  });
});
