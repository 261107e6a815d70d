import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { RotationError } from '../../src/domain/failures.js';
import { createKeystore } from '../../src/keystore/index.js';
import type { Keystore } from '../../src/keystore/keystore.js';
import { keepSwept, sweepKeystore } from '../../src/keystore/sweep.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { aCa } from '../support/certificates.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { scan, type Place } from '../support/key-scan.js';
import { keystoreContract } from './keystore.js';

const keyEncryptionKey = () => randomBytes(32).toString('base64');
const config = { kind: 'kubernetes', namespace: 'cert-rotation', allowPlaintext: false } as const;
type Secret = KubernetesObject & { readonly data: Readonly<Record<string, string>> };

describe('contract of Keystore', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster?.stop());

  const encrypted = (encryptionKey: string): Keystore =>
    createKeystore(config, { kubernetes: cluster.client, encryptionKey });
  const plaintext = (): Keystore => createKeystore({ ...config, allowPlaintext: true }, { kubernetes: cluster.client });
  const secretPath = (entry: string) => `/api/v1/namespaces/cert-rotation/secrets/cert-rotation.${entry}`;
  const secretOf = async (entry: string) => (await cluster.admin.get<Secret>(secretPath(entry)))!;
  const emptied = async () => {
    const secrets = await cluster.admin.list('/api/v1/namespaces/cert-rotation/secrets');
    for (const { metadata } of secrets)
      await cluster.admin.delete(`/api/v1/namespaces/cert-rotation/secrets/${metadata!.name}`);
  };

  describe('kubernetes, encrypted', () => {
    const kek = keyEncryptionKey();
    after(emptied);
    keystoreContract(() => encrypted(kek));

    async function atRest(entry: string): Promise<readonly Place[]> {
      const secret = { name: 'the Secret', content: Buffer.from(JSON.stringify(await secretOf(entry))) };
      return [secret, ...(await cluster.etcdFiles())];
    }

    it('safety 6: at rest there is no key material, neither in the Secret nor in etcd', async () => {
      const pair = await aCa();
      await encrypted(kek).create('ca.scanned', { ...pair, owner: 'authority/acme' });
      assert.deepEqual(scan(await atRest('ca.scanned'), [pair.key.keyObject()]), []);
    });

    it('safety 6: had it been there, it would have been found: a plaintext entry is, in both', async () => {
      const pair = await aCa();
      await plaintext().create('ca.planted', { ...pair, owner: 'authority/acme' });
      const found = scan(await atRest('ca.planted'), [pair.key.keyObject()]);
      assert.ok(found.includes('the Secret') && found.some((name) => name.includes('etcd')), found.join());
    });

    it('safety 6: a wrapped key that is moved to another entry does not open there: KeystoreUnreadable', async () => {
      await encrypted(kek).create('ca.mine', { ...(await aCa()), owner: 'authority/acme' });
      await encrypted(kek).create('ca.theirs', { ...(await aCa()), owner: 'authority/other' });
      const { data } = await secretOf('ca.theirs');
      await cluster.admin.patch(secretPath('ca.mine'), [{ op: 'replace', path: '/data/key', value: data['key'] }]);
      await assert.rejects(encrypted(kek).get('ca.mine'), { type: 'KeystoreUnreadable' });
    });

    for (const [what, open] of [
      ['another key-encryption key', () => encrypted(keyEncryptionKey())],
      ['none', () => plaintext()],
    ] as const)
      it(`safety 6: with ${what} an entry does not open, and the error holds nothing of it: KeystoreUnreadable`, async () => {
        const name = `ca.locked-${what.split(' ')[0]}`;
        await encrypted(kek).create(name, { ...(await aCa()), owner: 'authority/acme' });
        const { data } = await secretOf(name);
        await assert.rejects(open().get(name), (error: RotationError) => {
          assert.equal(error.type, 'KeystoreUnreadable');
          assert.ok(!`${error.stack}${String(error.cause)}`.includes(data['key']!.slice(0, 24)));
          return true;
        });
      });

    it('safety 6: one changed bit of a wrapped key is noticed: KeystoreUnreadable', async () => {
      await encrypted(kek).create('ca.flipped', { ...(await aCa()), owner: 'authority/acme' });
      const sealed = Buffer.from(
        Buffer.from((await secretOf('ca.flipped')).data['key']!, 'base64').toString(),
        'base64',
      );
      sealed[sealed.length - 1]! ^= 1;
      const value = Buffer.from(sealed.toString('base64')).toString('base64');
      await cluster.admin.patch(secretPath('ca.flipped'), [{ op: 'replace', path: '/data/key', value }]);
      await assert.rejects(encrypted(kek).get('ca.flipped'), { type: 'KeystoreUnreadable' });
    });

    it('a record that somebody broke is told by the name of its entry, without what it holds: KeystoreUnreadable', async () => {
      await encrypted(kek).create('notices', { record: { told: {} }, owner: 'schedule/expiry' });
      const value = Buffer.from('{"told": broken').toString('base64');
      await cluster.admin.patch(secretPath('notices'), [{ op: 'replace', path: '/data/record', value }]);
      await assert.rejects(encrypted(kek).get('notices'), (error: RotationError) => {
        assert.equal(error.type, 'KeystoreUnreadable');
        assert.match(error.message, /^Entry notices holds something that is no JSON/);
        assert.doesNotMatch(inspect(error), /broken/);
        return true;
      });
    });

    it('a key-encryption key that is not 32 bytes is refused before anything is stored', () => {
      assert.throws(() => encrypted('c2hvcnQ='), { type: 'ReferenceUnreadable' });
    });

    it('safety 6: deleting an entry destroys its wrapped key', async () => {
      await encrypted(kek).create('ca.destroyed', { ...(await aCa()), owner: 'authority/acme' });
      await encrypted(kek).delete('ca.destroyed');
      assert.equal(await cluster.admin.get(secretPath('ca.destroyed')), undefined);
    });
  });

  describe('kubernetes, plaintext', () => {
    after(emptied);
    keystoreContract(plaintext);
  });

  describe('failures', () => {
    it('no permission: KeystoreForbidden, with the manifest that gives it', async () => {
      const elsewhere = createKeystore(
        { ...config, namespace: 'temporal-booking' },
        { kubernetes: cluster.client, encryptionKey: keyEncryptionKey() },
      );
      await assert.rejects(elsewhere.create('a', { owner: 'o' }), {
        type: 'KeystoreForbidden',
        fix: /deploy\/rbac\.yaml/,
      });
    });

    it('no namespace: KeystoreForbidden, too', async () => {
      const nowhere = createKeystore(
        { ...config, namespace: 'nowhere' },
        { kubernetes: cluster.admin, encryptionKey: keyEncryptionKey() },
      );
      await assert.rejects(nowhere.create('a', { owner: 'o' }), { type: 'KeystoreForbidden' });
    });
  });

  describe('sweep', () => {
    const kek = keyEncryptionKey();
    const [past, future] = ['2020-01-01T00:00:00.000Z', '2040-01-01T00:00:00.000Z'];
    const names = async () => (await encrypted(kek).list('')).map(({ name }) => name).sort();
    const idle = async () => false;

    async function planted(): Promise<void> {
      await emptied();
      const keystore = encrypted(kek);
      await keystore.create('leaf.abandoned.1', { ...(await aCa()), owner: 'leaf/abandoned', expiresAt: past });
      await keystore.create('previous.waiting.1', { ...(await aCa()), owner: 'leaf/waiting', expiresAt: past });
      await keystore.create('leaf.fresh.1', { ...(await aCa()), owner: 'leaf/fresh', expiresAt: future });
      await keystore.create('ca.acme.1', { ...(await aCa()), owner: 'authority/acme' });
    }

    it('safety 6: removes what is past its expiry and has no owner that runs, and nothing else', async () => {
      await planted();
      const swept = await sweepKeystore(encrypted(kek), new Date(), async (owner) => owner === 'leaf/waiting');
      assert.deepEqual(swept, ['leaf.abandoned.1']);
      assert.deepEqual(await names(), ['ca.acme.1', 'leaf.fresh.1', 'previous.waiting.1']);
      assert.deepEqual(await sweepKeystore(encrypted(kek), new Date(), idle), ['previous.waiting.1']);
    });

    it('safety 6: goes on day after day, and a failure is only logged', async () => {
      await planted();
      const logged: string[] = [];
      const log = {
        info: (_: object, message: string) => void logged.push(message),
        warn: (fields: object) => void logged.push(JSON.stringify(fields)),
      };
      let asked = 0;
      const isRunning = async () => {
        if ((asked += 1) === 1) throw new Error('Temporal does not answer');
        return false;
      };
      keepSwept(encrypted(kek), { isRunning, log, everyMs: 50 });
      await eventually(async () => (await names()).length === 2);
      assert.deepEqual(logged.slice(0, 2), [
        '{"reason":"Temporal does not answer"}',
        'keystore entries past their expiry removed',
      ]);
    });
  });
});
