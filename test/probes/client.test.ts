import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { createClientProbe } from '../../src/probes/client.js';
import type { Endpoint } from '../../src/probes/probe.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { makeServerCertificate } from '../support/server-certificate.js';

const probe = createClientProbe({ deadlineMs: 2000 });

describe('probe client, with servers of another kind', () => {
  let folder: string;
  let ca: KeyPair;
  let leaf: KeyPair;
  let certificate: { cert: Buffer; key: Buffer };
  const servers: net.Server[] = [];
  const held = new Set<net.Socket>();
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    ca = await aCa();
    leaf = await aLeaf(ca);
    const { certificateFile, keyFile } = makeServerCertificate(folder);
    certificate = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  });
  after(() => {
    for (const server of servers) server.close();
    for (const socket of held) socket.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  async function listening(server: net.Server): Promise<Endpoint> {
    servers.push(server.on('connection', (socket) => void held.add(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    return { namespace: 'orders.acct1', address, serverName: 'localhost', serverRoots: certificate.cert.toString() };
  }
  const mutual = (onSecure: (socket: tls.TLSSocket) => void) =>
    tls.createServer({ ...certificate, ca: ca.certificate.pem, requestCert: true, minVersion: 'TLSv1.3' }, onSecure);

  it('no certificate is refused at TLS, with the name of the alert', async () => {
    const endpoint = await listening(mutual(() => undefined));
    const nothing = { certificate: { ...leaf.certificate, pem: '' }, key: leaf.key };
    const answer = { outcome: 'refused', layer: 'tls', reason: 'certificate required' };
    assert.deepEqual(await probe.test(nothing, endpoint), answer);
  });

  it('safety 14: a connection that breaks after the handshake is no refusal: it says nothing of the certificate', async () => {
    const endpoint = await listening(mutual((socket) => socket.destroy()));
    assert.equal((await probe.test(leaf, endpoint)).outcome, 'unreachable');
    const closing = await listening(mutual((socket) => socket.end()));
    assert.equal((await probe.test(leaf, closing)).outcome, 'unreachable');
  });

  it('a server that speaks no TLS is unreachable', async () => {
    const endpoint = await listening(net.createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    assert.equal((await probe.test(leaf, endpoint)).outcome, 'unreachable');
  });

  it('safety 35: calls that break are not tried again over another connection, which may reach another front end', async () => {
    let connections = 0;
    const server = mutual((socket) => void (connections++ === 0 ? socket.write('hello') : socket.destroy()));
    assert.equal((await probe.test(leaf, await listening(server))).outcome, 'unreachable');
    assert.equal(connections, 2, 'one for the handshake, one for the calls');
  });

  it('a server that admits the certificate and speaks no gRPC is unreachable; the reason does not hold the key', async () => {
    const endpoint = await listening(mutual((socket) => void socket.write('hello')));
    const result = await probe.test(leaf, endpoint);
    assert.ok(result.outcome === 'unreachable', JSON.stringify(result));
    assert.ok(!result.reason.includes(leaf.key.reveal().split('\n')[1]!));
  });
});
