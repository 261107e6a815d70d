import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { createKeystore } from '../../src/keystore/index.js';
import type { JsonPatchOperation, KubernetesClient, KubernetesObject } from '../../src/kubernetes/client.js';
import { createTarget } from '../../src/targets/index.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { authorized, createNamespace, startCluster, untilAllowed, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { mounting, secretObject, silent, targetConfig, targetTiming, workloadObject } from '../support/target.js';

const refused = { type: 'KubernetesForbidden', message: /: 403 / };

/** A team by its namespaces in Kubernetes: that of its rotation worker and keystore, and that of its application. */
interface Team {
  readonly home: string;
  readonly app: string;
}

const teams: readonly Team[] = [
  { home: 'cert-rotation', app: 'temporal-booking' },
  { home: 'cert-rotation-payments', app: 'temporal-payments' },
];
const pairs: readonly (readonly [Team, Team])[] = [
  [teams[0]!, teams[1]!],
  [teams[1]!, teams[0]!],
];

const secretsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
const targetSecret = ({ app }: Team): string => `${secretsOf(app)}/${app}-tls`;
const entry = 'ca.acme.1';
/** Every Secret that a team's rotation works with. */
const secretPaths = (team: Team): readonly string[] => [
  targetSecret(team),
  `${secretsOf(team.home)}/cert-rotation-worker-tls`,
  `${secretsOf(team.home)}/cert-rotation.${entry}`,
];
const deploymentOf = ({ app }: Team): string => `/apis/apps/v1/namespaces/${app}/deployments/${app}-worker`;

describe('safety 22: two teams, a rotation worker of its own for each by a copy of deploy/rbac.yaml', () => {
  let cluster: Cluster;
  let ca: KeyPair;
  const workers = new Map<Team, KubernetesClient>();
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    await copyFor(teams[1]!);
    for (const team of teams) {
      const client = await cluster.clientOf(team.home, 'cert-rotation');
      workers.set(team, client);
      await authorized(client, { namespace: team.app, secret: `${team.app}-tls` });
      await untilAllowed(client, { namespace: team.home, verb: 'create', resource: 'secrets' }, true);
      await deploy(team);
      await keystoreOf(team).create(entry, { ...ca, owner: 'authority/acme' });
      await eventually(() => isUnderPolicy(team));
    }
  });
  after(() => cluster?.stop());

  /** The manifest of one team, renamed for another: its namespaces, and nothing else. */
  async function copyFor({ home, app }: Team): Promise<void> {
    await Promise.all([home, app].map((namespace) => createNamespace(cluster.admin, namespace)));
    const copied = (await readFile('deploy/rbac.yaml', 'utf8'))
      .replaceAll('namespace: cert-rotation ', `namespace: ${home} `)
      .replaceAll('temporal-booking', app);
    for (const document of parseAllDocuments(copied)) {
      const object = document.toJS() as KubernetesObject;
      const { namespace, name } = object.metadata!;
      const group = object.kind === 'ServiceAccount' ? 'api/v1' : 'apis/rbac.authorization.k8s.io/v1';
      await cluster.admin.apply(
        `/${group}/namespaces/${namespace}/${object.kind!.toLowerCase()}s/${name}`,
        object,
        'test',
      );
    }
  }

  /** What the team's rotation works with: the Secrets, and a workload that uses that of the target. */
  async function deploy(team: Team): Promise<void> {
    for (const [namespace, name] of [
      [team.app, `${team.app}-tls`],
      [team.home, 'cert-rotation-worker-tls'],
    ] as const) {
      const held = secretObject(namespace, await aLeaf(ca));
      await cluster.admin.create(secretsOf(namespace), { ...held, metadata: { name } });
    }
    const podSpec = {
      volumes: [{ name: 'certs', secret: { secretName: `${team.app}-tls` } }],
      containers: mounting('worker').containers,
    };
    const workload = workloadObject(team.app, 'Deployment', { name: `${team.app}-worker`, podSpec, replicas: 0 });
    await cluster.admin.create(`/apis/apps/v1/namespaces/${team.app}/deployments`, workload);
  }

  const keystoreOf = ({ home }: Team) =>
    createKeystore(
      { kind: 'kubernetes', namespace: home, allowPlaintext: false },
      { kubernetes: workers.get(teams.find((team) => team.home === home)!)!, encryptionKey },
    );
  const encryptionKey = randomBytes(32).toString('base64');

  /** The API server takes up an admission policy by a watch of its own, about a second late. */
  async function isUnderPolicy(team: Team): Promise<boolean> {
    const value = { attempt: String((attempts += 1)) };
    const attempt = workers.get(team)!.patch(deploymentOf(team), [{ op: 'add', path: '/metadata/labels', value }]);
    return attempt.then(
      () => false,
      () => true,
    );
  }
  let attempts = 0;

  for (const team of teams)
    it(`safety 22: that of ${team.app} may do all of its own rotation`, async () => {
      const target = createTarget({
        name: team.app,
        config: {
          ...targetConfig(team.app, 'rolling'),
          secret: `${team.app}-tls`,
          allowIdle: true,
          taskQueues: [],
        },
        timing: targetTiming,
        client: workers.get(team)!,
        pollers: async () => [],
        presentedByThisProcess: () => undefined,
        namespaces: [],
      });
      await target.inspect();
      const leaf = await aLeaf(ca);
      const delivery = await target.deliver(leaf);
      await target.rollOut(delivery, silent);
      assert.equal((await target.read())?.certificate.fingerprint, leaf.certificate.fingerprint);
      const keystore = keystoreOf(team);
      const { version } = await keystore.create('ca.own', { ...ca, owner: 'authority/own' });
      await keystore.update('ca.own', { owner: 'authority/own' }, version);
      assert.deepEqual((await keystore.list('ca.')).map(({ name }) => name).sort(), [entry, 'ca.own']);
      await keystore.delete('ca.own');
    });

  for (const [mine, theirs] of pairs)
    for (const [index, path] of secretPaths(theirs).entries())
      it(`safety 22: that of ${mine.app} may not touch ${path}`, async () => {
        const client = workers.get(mine)!;
        const found = (await cluster.admin.get<KubernetesObject>(path))!;
        const { managedFields: _theirs, resourceVersion, ...metadata } = found.metadata!;
        const object = { ...found, metadata };
        const others = path.slice(0, path.lastIndexOf('/'));
        const change: JsonPatchOperation = { op: 'add', path: '/data/tls.crt', value: '' };
        const tries: Readonly<Record<string, () => Promise<unknown>>> = {
          get: () => client.get(path),
          list: () => client.list(others),
          create: () => client.create<KubernetesObject>(others, { ...object, metadata: { name: `mine-${index}` } }),
          update: () => client.replace<KubernetesObject>(path, found),
          patch: () => client.patch(path, [change]),
          delete: () => client.delete(path),
        };
        const { namespace, name } = metadata;
        for (const [verb, attempt] of Object.entries(tries)) {
          await assert.rejects(attempt(), refused, verb);
          // The Roles say so themselves: what is said of a Secret that is refused does not name who refused it.
          await untilAllowed(client, { namespace: namespace!, name: name!, resource: 'secrets', verb }, false);
        }
        const applied = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', data: {} };
        await assert.rejects(client.apply<KubernetesObject>(path, applied, 'cert-rotation/secret'), refused);
        assert.equal((await cluster.admin.get(path))?.metadata?.resourceVersion, resourceVersion);
      });

  for (const [mine, theirs] of pairs)
    describe(`safety 22: the admission policy holds for that of ${mine.app}`, () => {
      const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

      it('safety 22: on what its Roles allow: another image, another key of its Secret, a Secret that is no entry', async () => {
        const client = workers.get(mine)!;
        const image: JsonPatchOperation = {
          op: 'add',
          path: '/spec/template/spec/containers/0/image',
          value: 'evil',
        };
        await assert.rejects(client.patch(deploymentOf(mine), [image]), { message: /ValidatingAdmissionPolicy/ });
        const key: JsonPatchOperation = { op: 'add', path: '/data/password', value: '' };
        await assert.rejects(client.patch(targetSecret(mine), [key]), refused);
        const opaque = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mine' } };
        await assert.rejects(client.create<KubernetesObject>(secretsOf(mine.home), opaque), refused);
      });

      it('safety 22: on the other keystore, though somebody allows it everything by mistake', async () => {
        const client = workers.get(mine)!;
        const name = `mistake-${mine.home}`;
        await cluster.admin.create<KubernetesObject>(bindings, {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name },
          ...{
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
            subjects: [{ kind: 'ServiceAccount', name: 'cert-rotation', namespace: mine.home }],
          },
        });
        try {
          await untilAllowed(client, { namespace: theirs.home, verb: 'delete', resource: 'secrets' }, true);
          const path = `${secretsOf(theirs.home)}/cert-rotation.${entry}`;
          const change: JsonPatchOperation = { op: 'add', path: '/data/key', value: '' };
          await assert.rejects(client.patch(path, [change]), refused);
          await assert.rejects(client.delete(path), refused);
          assert.ok((await keystoreOf(theirs).get(entry))?.key);
        } finally {
          await cluster.admin.delete(`${bindings}/${name}`);
        }
      });
    });
});
