import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createKubernetesClient, type KubernetesClient, type KubernetesObject } from '../../src/kubernetes/client.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { startCluster, type Cluster } from '../support/cluster.js';

interface Kubeconfig {
  readonly clusters: readonly [{ readonly name: string; readonly cluster: Readonly<Record<string, unknown>> }];
  readonly users: readonly [{ readonly name: string; readonly user: { readonly token: string } }];
}

describe('the Kubernetes client', () => {
  let cluster: Cluster;
  let clientCa: KeyPair;
  let shipped: Kubeconfig;
  before(async () => {
    clientCa = await aCa();
    cluster = await startCluster(clientCa);
    shipped = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as Kubeconfig;
  });
  after(() => cluster?.stop());

  let count = 0;
  /** The shipped kubeconfig with another user, or another server. */
  async function clientWith(change: { user?: object; cluster?: object }): Promise<KubernetesClient> {
    const [{ name, cluster: place }] = shipped.clusters;
    const changed = {
      ...shipped,
      clusters: [{ name, cluster: { ...place, ...change.cluster } }],
      users: [{ name: shipped.users[0].name, user: change.user ?? shipped.users[0].user }],
    };
    const kubeconfig = join(cluster.dir, `kubeconfig-${(count += 1)}`);
    await writeFile(kubeconfig, JSON.stringify(changed), { mode: 0o600 });
    return createKubernetesClient({ kubeconfig });
  }

  type Review = KubernetesObject & { readonly status?: { readonly userInfo?: { readonly username?: string } } };
  /** Whom the API server takes us for. */
  async function whoAmI(client: KubernetesClient): Promise<string | undefined> {
    const review: Review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    return (await client.create('/apis/authentication.k8s.io/v1/selfsubjectreviews', review)).status?.userInfo
      ?.username;
  }

  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const serviceAccount = 'system:serviceaccount:cert-rotation:cert-rotation';

  /** A credential plugin that prints what lies in `file`. */
  async function plugin(file: string, credential: object): Promise<object> {
    const print = async (status: object) =>
      writeFile(
        file,
        JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }),
      );
    await print(credential);
    return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'cat', args: [file] } };
  }

  describe('is who its kubeconfig says', () => {
    it('by a token', async () => assert.equal(await whoAmI(await clientWith({})), serviceAccount));

    it('by a token in a file, as a pod has it', async () => {
      const tokenFile = join(cluster.dir, 'token');
      await writeFile(tokenFile, shipped.users[0].user.token, { mode: 0o600 });
      const client = await clientWith({ user: { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } } });
      assert.equal(await whoAmI(client), serviceAccount);
    });

    it('by a client certificate', async () => {
      const { certificate, key } = await aLeaf(clientCa, { commonName: 'ada' });
      const user = { 'client-certificate-data': base64(certificate.pem), 'client-key-data': base64(key.reveal()) };
      const client = await clientWith({ user });
      assert.deepEqual(await Promise.all([whoAmI(client), whoAmI(client)]), ['ada', 'ada']);
    });

    it('by a credential plugin that gives a token', async () => {
      const { token } = shipped.users[0].user;
      const expirationTimestamp = '2040-01-01T00:00:00Z';
      const user = await plugin(join(cluster.dir, 'token-plugin'), { token, expirationTimestamp });
      assert.equal(await whoAmI(await clientWith({ user })), serviceAccount);
    });

    it('by a credential plugin that gives a certificate, and by the next one once that has expired', async () => {
      const file = join(cluster.dir, 'certificate-plugin');
      const credential = async (commonName: string) => {
        const { certificate, key } = await aLeaf(clientCa, { commonName });
        return {
          clientCertificateData: certificate.pem,
          clientKeyData: key.reveal(),
          expirationTimestamp: '2020-01-01T00:00:00Z',
        };
      };
      const client = await clientWith({ user: await plugin(file, await credential('ada')) });
      assert.equal(await whoAmI(client), 'ada');
      await plugin(file, await credential('grace'));
      assert.equal(await whoAmI(client), 'grace');
    });
  });

  it('keeps the path of a server that stands in front of many clusters', async () => {
    const seen: string[] = [];
    const [key, cert] = await Promise.all(
      ['apiserver.key', 'apiserver.crt'].map((file) => readFile(join(cluster.dir, 'kubernetes', file))),
    );
    const front = createServer({ key, cert }, (request, response) => {
      seen.push(request.url!);
      response.end('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}');
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    try {
      const server = `https://127.0.0.1:${(front.address() as AddressInfo).port}/k8s/clusters/c-1/`;
      const pods = await (await clientWith({ cluster: { server } })).list('/api/v1/pods');
      assert.deepEqual(seen, ['/k8s/clusters/c-1/api/v1/pods']);
      assert.deepEqual(pods, [{ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' } }]);
    } finally {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
    }
  });

  it('knows the time of the API server, as anybody who may log in does', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const time = (await cluster.client.time()).getTime();
    assert.ok(time >= before && time <= Date.now(), `${time} is not now`);
  });

  describe('names what fails', () => {
    it('nobody answers: KubernetesUnavailable, worth a retry', async () => {
      const client = await clientWith({ cluster: { server: 'https://127.0.0.1:1' } });
      await assert.rejects(client.get('/api/v1/pods'), { type: 'KubernetesUnavailable', retryable: true });
    });

    it('a server that is not the one of the kubeconfig: KubernetesUnavailable', async () => {
      const { certificate } = await aCa();
      const client = await clientWith({ cluster: { 'certificate-authority-data': base64(certificate.pem) } });
      await assert.rejects(client.get('/api/v1/pods'), { type: 'KubernetesUnavailable', message: /self-signed/ });
    });

    it('a token that nobody gave: KubernetesForbidden', async () => {
      const client = await clientWith({ user: { token: 'made-up' } });
      await assert.rejects(client.get('/api/v1/pods'), { type: 'KubernetesForbidden', message: /401/ });
    });

    it('a credential plugin that fails: KubernetesUnavailable, without what the plugin said', async () => {
      const command = join(cluster.dir, 'failing-plugin');
      await writeFile(command, '#!/bin/sh\necho "the secret is hunter2" >&2; exit 1\n');
      await chmod(command, 0o700);
      const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args: [] } };
      await assert.rejects((await clientWith({ user })).get('/api/v1/pods'), (error: Error) => {
        assert.equal(error.name, 'KubernetesUnavailable');
        assert.match(error.message, /No credentials for the kubeconfig user sandbox: its plugin failed\./);
        assert.ok(!error.stack!.includes('hunter2'));
        return true;
      });
    });

    it('a credential plugin that is not there: KubernetesUnavailable', async () => {
      const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/no/such/plugin', args: [] } };
      const client = await clientWith({ user });
      await assert.rejects(client.get('/api/v1/pods'), { type: 'KubernetesUnavailable', message: /ENOENT/ });
    });

    it('an answer about a Secret that was refused is not passed on: the server may quote what was sent', async () => {
      const path = '/api/v1/namespaces/cert-rotation/secrets';
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'Not A Name' },
        data: { key: base64('hunter2') },
      };
      await assert.rejects(cluster.client.create(path, secret as KubernetesObject), {
        message: `POST ${path}: 422 Invalid`,
      });
    });
  });
});
