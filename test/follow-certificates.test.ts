import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { followCertificates, type FollowedConnection, type FollowOptions } from '../src/follow-certificates.js';
import type { KeyPair } from '../src/x509/pair.js';
import { readCertificates } from '../src/x509/read.js';
import { aCa, aLeaf } from './support/certificates.js';
import { eventually } from './support/eventually.js';
import { makeServerCertificate } from './support/server-certificate.js';

const namespace = 'shop.acct';

/** Over mutual TLS, it answers every call with an empty message, and notes which leaf it came with and what it says. */
class AnyTemporal {
  readonly calls: { readonly method: string; readonly leaf: string; readonly body: string }[] = [];
  /** Leaves that no filter of the namespace admits. */
  readonly filtered = new Set<string>();
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
      const method = String(headers[':path']).split('/').at(-1)!;
      const [chunks, { fingerprint }]: [Buffer[], typeof leaf & object] = [[], leaf!];
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => this.calls.push({ method, leaf: fingerprint, body: Buffer.concat(chunks).toString() }));
      const answer = { ':status': 200, 'content-type': 'application/grpc+proto' };
      // As Temporal Cloud does: for each call about the namespace, over a connection that it has let in.
      if (method !== 'GetSystemInfo' && this.filtered.has(fingerprint))
        return stream.respond({ ...answer, 'grpc-status': '7' }, { endStream: true });
      stream.respond(answer, { waitForTrailers: true });
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
  let connecting: FollowOptions;
  let presentedAtFirst: string;
  const warnings: string[] = [];
  let files: { readonly certificateFile: string; readonly keyFile: string };

  before(async () => {
    Runtime.install({
      logger: new DefaultLogger('WARN', ({ meta }) => void warnings.push(String((meta as { reason?: string }).reason))),
    });
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    files = { certificateFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
    ca = await aCa();
    const server = makeServerCertificate(folder, ['basicConstraints=critical,CA:FALSE']);
    const [cert, key] = await Promise.all([readFile(server.certificateFile), readFile(server.keyFile)]);
    temporal = new AnyTemporal({ cert, key, ca: ca.certificate.pem });
    const address = await temporal.listen();
    await place(await aLeaf(ca));
    const serverRootsFile = server.certificateFile;
    connecting = { address, namespace, ...files, serverName: 'localhost', serverRootsFile };
    certificates = await followCertificates(connecting);
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
    presentedAtFirst = certificates.presented()!;
    assert.equal(temporal.lastLeafOf('ListWorkflowExecutions'), presentedAtFirst);
    await eventually(async () => temporal.lastLeafOf('PollActivityTaskQueue') === presentedAtFirst);

    const renewed = await aLeaf(ca);
    await place(renewed);
    await eventually(async () => certificates.presented() === renewed.certificate.fingerprint);
    await kept.withDeadline(Date.now() + 10_000, call);
    assert.equal(temporal.lastLeafOf('ListWorkflowExecutions'), renewed.certificate.fingerprint);
    assert.equal(certificates.client(), kept);
  });

  it('and reports what it presents, over the connection that presents it, and no longer what it presented before', async () => {
    const polls = () => temporal.calls.filter(({ method }) => method === 'PollActivityTaskQueue');
    const ofNow = () => polls().filter(({ leaf }) => leaf === certificates.presented());
    await eventually(async () => ofNow().length >= 3);
    for (const { leaf, body } of polls()) assert.ok(body.includes(` reports ${leaf}`), body);
    // Its last poll over the former connection may have been on its way.
    const since = polls().slice(polls().indexOf(ofNow()[1]!));
    assert.ok(!since.some(({ leaf }) => leaf === presentedAtFirst), 'the former certificate is still reported');
  });

  it('stays with its certificate while the one in the files is not usable: of another key, or not admitted', async () => {
    const [presented, refused, usable] = [certificates.presented(), await aLeaf(ca), await aLeaf(ca)];
    const warned = warnings.length;
    await place({ ...refused, key: usable.key });
    await eventually(async () => warnings.length > warned);
    temporal.filtered.add(refused.certificate.fingerprint);
    await place(refused);
    await eventually(async () => warnings.slice(warned).some((reason) => /PERMISSION_DENIED|refuse/.test(reason)));
    assert.equal(certificates.presented(), presented);
    await place(usable);
    await eventually(async () => certificates.presented() === usable.certificate.fingerprint);
  });

  it('and keeps its former connections, for the polls that are open on them', () => {
    const ofEach = 2;
    assert.equal(temporal.connections, 3 * ofEach, 'the one it began with, and those after two renewals');
  });

  it('says so apart from another one in the same process, which may present another certificate', async () => {
    const other = await followCertificates(connecting);
    other.follow();
    const names = () =>
      new Set(
        temporal.calls.flatMap(({ body }) => (/ reports /.test(body) ? [/\d+@[^ ]+(?= reports )/.exec(body)![0]] : [])),
      );
    await eventually(async () => names().size === 2);
    await other.close();
  });

  it('and keeps no connection once it is closed, the former ones included', async () => {
    await certificates.close();
    await eventually(async () => temporal.connections === 0, 10_000);
  });
});
