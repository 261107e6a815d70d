import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import { openCloudChannel, type CloudChannel } from '../../src/cloud/channel.js';
import { withTrust } from '../../src/cloud/namespace-spec.js';
import { bytesField, messageOf } from '../../src/cloud/wire.js';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import type { CertificateFilter } from '../../src/domain/filters.js';
import { startCloudApi, type CloudApi } from '../../src/sandbox/cloud/control-plane.js';
import { CloudStore, newSpec } from '../../src/sandbox/cloud/store.js';
import { readCertificate } from '../../src/x509/read.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { makeServerCertificate } from '../support/server-certificate.js';

const namespace = 'orders.acct1';
/** The store's clock; OpenSSL makes its certificates a little before. */
const now = new Date(Date.now() + 3_600_000);
const inSeconds = (time: Date | string) => `${new Date(time).toISOString().slice(0, 19)}Z`;
const year = 365 * 86_400_000;
const anHour = 3_600_000;

describe('the sandbox refuses as Temporal Cloud does, in its words', () => {
  let folder: string;
  let store: CloudStore;
  let ca: CertificateFacts;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
    ca = (await aCa({ now, lifetimeMs: year })).certificate;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(() => {
    store = new CloudStore({ operationMs: anHour, onTrust: async () => undefined, now: () => now });
    store.create(namespace, newSpec('orders', { bundlePem: ca.pem, filters: [] }));
  });

  interface Update {
    readonly bundle?: readonly CertificateFacts[];
    readonly filters?: readonly CertificateFilter[];
    readonly version?: string;
    readonly id?: string;
  }

  const update = ({ bundle = [ca], filters, version = '1', id = 'an-id' }: Update) => {
    const spec = withTrust(store.get(namespace).spec, { bundle, filters });
    try {
      return store.update({ namespace, spec, version, id });
    } finally {
      store.stop();
    }
  };
  const refusal = (wanted: Update): string => {
    try {
      return `taken as ${update(wanted).id}`;
    } catch (error) {
      return (error as Error).message;
    }
  };

  describe('bundles', () => {
    it('an expired CA anywhere in it, every one of them named twice', async () => {
      const [one, two] = await Promise.all(
        ['One', 'Two'].map((organization) =>
          aCa({ organization, now: new Date(now.getTime() - year), lifetimeMs: anHour }),
        ),
      );
      const expired = [one!.certificate, two!.certificate];
      const lines = expired.flatMap(({ subject, notAfter }) => [
        `\t* certificate with subject '${subject}' received is expired as of '${notAfter.slice(0, 19).replace('T', ' ')} +0000 UTC'\n`,
        `\t* unable to construct full certificate chain for cert with subject '${subject}'. Error: x509: certificate has expired or is not yet valid: current time ${inSeconds(now)} is after ${inSeconds(notAfter)}\n`,
      ]);
      assert.equal(
        refusal({ bundle: [ca, ...expired] }),
        `invalid ca certificate: 4 errors occurred:\n${lines.join('')}\n`,
      );
    });

    it('a CA that is not valid yet', async () => {
      const { certificate } = await aCa({ now: new Date(now.getTime() + year) });
      assert.equal(
        refusal({ bundle: [ca, certificate] }),
        `invalid ca certificate: 1 error occurred:\n\t* unable to construct full certificate chain for cert with subject '${certificate.subject}'. ` +
          `Error: x509: certificate has expired or is not yet valid: current time ${inSeconds(now)} is before ${inSeconds(certificate.notBefore)}\n\n`,
      );
    });

    it('a leaf', async () => {
      const issuer = await aCa({ now, lifetimeMs: year });
      const { certificate } = await aLeaf(issuer, { now });
      assert.match(refusal({ bundle: [ca, issuer.certificate, certificate] }), /1 error occurred:.*is not a CA\n/s);
    });

    it('an intermediate without its root', () => {
      const chained = intermediate(folder);
      assert.match(
        refusal({ bundle: [ca, chained.intermediate] }),
        /unable to construct full certificate chain for cert with subject '.*'\. Error: x509: certificate signed by unknown authority/,
      );
      assert.equal(refusal({ bundle: [ca, chained.intermediate, chained.root] }), 'taken as an-id');
    });

    it('a signature over SHA-1', () => {
      assert.match(refusal({ bundle: [ca, sha1Ca(folder)] }), /not signed with RSA or ECDSA over SHA-256 or stronger/);
    });

    it('more than 16 CAs, or more than 32 KB of them', async () => {
      const many = await Promise.all(
        Array.from({ length: 17 }, async () => (await aCa({ now, lifetimeMs: year })).certificate),
      );
      assert.match(refusal({ bundle: many }), /17 certificates received, at most 16 are allowed/);
      const large = { ...ca, pem: `# ${'x'.repeat(32 * 1024)}\n${ca.pem}` };
      assert.match(refusal({ bundle: [large] }), /\d+ bytes received, at most 32768 are allowed/);
      assert.equal(refusal({ bundle: many.slice(1) }), 'taken as an-id');
    });

    it('garbage, and none at all while mTLS is enabled', () => {
      const garbage = { ...ca, pem: `${ca.pem}garbage` };
      assert.equal(
        refusal({ bundle: [garbage] }),
        'invalid ca certificate: 1 error occurred:\n\t* failed to parse certificate\n\n',
      );
      assert.match(refusal({ bundle: [] }), /at least one certificate is required when mTLS is enabled/);
    });
  });

  describe('filters', () => {
    const cases: [string, CertificateFilter[], RegExp][] = [
      [
        'more than 25',
        Array.from({ length: 26 }, (_, index) => ({ commonName: `w${index}` })),
        /26 received, at most 25/,
      ],
      ['one without a field', [{}], /has no field/],
      ['a wildcard alone', [{ commonName: '*' }], /one wildcard is allowed/],
      ['a wildcard in the middle', [{ commonName: 'a*b' }], /one wildcard is allowed/],
      ['two wildcards', [{ commonName: '*a*' }], /one wildcard is allowed/],
    ];
    for (const [what, filters, text] of cases) it(what, () => assert.match(refusal({ filters }), text));

    it('25 with a wildcard at the beginning or the end are taken', () => {
      const filters = Array.from({ length: 25 }, (_, index) => ({ commonName: index % 2 ? `*${index}` : `${index}*` }));
      assert.equal(refusal({ filters }), 'taken as an-id');
    });
  });

  describe('over the wire', () => {
    let api: CloudApi;
    let channel: CloudChannel;
    beforeEach(async () => {
      const certificate = makeServerCertificate(folder);
      api = await startCloudApi({ store, ...certificate, mtlsAddressOf: () => '', checkDurationMs: 10_000 });
      channel = openCloudChannel({
        address: api.address,
        apiKey: api.apiKey,
        serverRoots: readFileSync(certificate.certificateFile),
      });
    });
    afterEach(async () => {
      channel.close();
      await api.stop();
    });

    const send = ({ bundle = [ca], version = '1', id = 'an-id' }: Update, to = namespace) =>
      channel.call(
        'UpdateNamespace',
        messageOf([
          bytesField(1, Buffer.from(to)),
          bytesField(2, withTrust(store.get(namespace).spec, { bundle })),
          bytesField(3, Buffer.from(version)),
          bytesField(4, Buffer.from(id)),
        ]),
      );

    it('nothing to change, whatever stands around the PEM blocks', () =>
      assert.rejects(send({ bundle: [{ ...ca, pem: `\n${ca.pem}\n\n` }] }), {
        code: status.INVALID_ARGUMENT,
        details: 'nothing to change',
      }));

    it('a version that is not the newest', async () => {
      const { certificate } = await aCa({ now });
      await assert.rejects(send({ bundle: [ca, certificate], version: '7' }), { code: status.FAILED_PRECONDITION });
    });

    it('a second operation on a namespace, and an eleventh in the account', async () => {
      const { certificate } = await aCa({ now });
      const answer = await send({ bundle: [ca, certificate] });
      const { asyncOperation } = proto.temporal.api.cloud.cloudservice.v1.UpdateNamespaceResponse.decode(answer);
      assert.deepEqual(
        [asyncOperation?.id, asyncOperation?.operationType, Number(asyncOperation?.checkDuration?.seconds)],
        ['an-id', 'UpdateNamespace', 10],
      );
      await assert.rejects(send({ bundle: [certificate], id: 'another' }), { code: status.FAILED_PRECONDITION });
      for (let index = 1; index <= 10; index += 1) {
        store.create(`n${index}.acct1`, newSpec('n', { bundlePem: ca.pem, filters: [] }));
        const sent = send({ bundle: [certificate], id: `id-${index}` }, `n${index}.acct1`);
        if (index < 10) await sent;
        else await assert.rejects(sent, { code: status.RESOURCE_EXHAUSTED });
      }
    });

    it('the same operation id is the same operation', async () => {
      const { certificate } = await aCa({ now });
      await send({ bundle: [ca, certificate] });
      await send({ bundle: [ca, certificate] });
    });

    it('another API key, a namespace that is not there, an operation that nobody began', async () => {
      const certificate = readFileSync(join(folder, 'server.pem'));
      const stranger = openCloudChannel({ address: api.address, apiKey: 'wrong', serverRoots: certificate });
      await assert.rejects(stranger.call('GetNamespace', messageOf([])), { code: status.UNAUTHENTICATED });
      stranger.close();
      await assert.rejects(channel.call('GetNamespace', bytesField(1, Buffer.from('x.acct1')).raw), {
        code: status.NOT_FOUND,
      });
      await assert.rejects(channel.call('GetAsyncOperation', bytesField(1, Buffer.from('x')).raw), {
        code: status.NOT_FOUND,
      });
    });
  });
});

/** An intermediate CA and its root, made by OpenSSL. Valid at `now`. */
function intermediate(folder: string) {
  const at = (name: string) => join(folder, name);
  const openssl = (command: string) => execFileSync('openssl', command.split(' '), { stdio: 'pipe', cwd: folder });
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  const ca = '-addext basicConstraints=critical,CA:true';
  openssl(`req -x509 ${key} ${ca} -days 3650 -subj /O=Root -keyout root.key -out root.pem`);
  openssl(
    `req -x509 ${key} ${ca} -days 3600 -subj /O=Intermediate -CA root.pem -CAkey root.key -keyout i.key -out i.pem`,
  );
  return { root: read(at('root.pem')), intermediate: read(at('i.pem')) };
}

function sha1Ca(folder: string): CertificateFacts {
  const file = join(folder, 'sha1.pem');
  const command = `req -x509 -sha1 -newkey rsa:2048 -nodes -days 3650 -subj /O=Weak -keyout ${join(folder, 'sha1.key')} -out ${file}`;
  execFileSync('openssl', command.split(' '), { stdio: 'pipe' });
  return read(file);
}

const read = (file: string): CertificateFacts => readCertificate(readFileSync(file, 'utf8'));
