import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { createKeystore } from '../../src/keystore/index.js';
import type { JsonPatchOperation, KubernetesClient, KubernetesObject } from '../../src/kubernetes/client.js';
import { assertSandboxMarker, sandboxMarker } from '../../src/kubernetes/marker.js';
import { createTarget } from '../../src/targets/index.js';
import type { Workload } from '../../src/targets/kubernetes/objects.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { allow, authorized, createNamespace, startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { recordingClient, type Used } from '../support/recording-client.js';
import { mounting, secretObject, silent, targetConfig, targetTiming, workloadObject } from '../support/target.js';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** The targets of examples/temporal-booking/rotation.yaml, for which deploy/rbac.yaml is written. */
const booking = { namespace: 'temporal-booking', secret: 'temporal-booking-tls', workload: 'temporal-booking-worker' };
/** A target whose rollout is scale: the Roles of booking copied for it, with that of deploy/rbac-scale.yaml. */
const scaled = { namespace: 'scaled', secret: 'scaled-tls', workload: 'scaled-worker' };
const own = { namespace: 'cert-rotation', secret: 'cert-rotation-worker-tls', workload: 'cert-rotation-worker' };

describe('safety 22: deploy/rbac.yaml, with the token of its service account', () => {
  let cluster: Cluster;
  let client: KubernetesClient;
  let used: readonly Used[];
  let ca: KeyPair;
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    ({ client, used } = recordingClient(cluster.client));
    await createNamespace(cluster.admin, scaled.namespace);
    const workload = { resource: 'deployments', name: scaled.workload };
    await allow(cluster.admin, { ...scaled, workload, scale: true });
    await authorized(cluster.client, scaled);
    await Promise.all([booking, own, scaled].map(deploy));
    await eventually(isUnderPolicy);
  });
  after(() => cluster?.stop());

  /** A Deployment that uses the Secret, which is there already for `own` alone. */
  async function deploy({ namespace, secret, workload }: typeof booking): Promise<void> {
    const podSpec = {
      volumes: [{ name: 'certs', secret: { secretName: secret } }],
      containers: mounting('worker').containers,
    };
    const object = workloadObject(namespace, 'Deployment', {
      name: workload,
      podSpec,
      replicas: namespace === own.namespace ? 1 : 0,
    });
    await cluster.admin.create(`/apis/apps/v1/namespaces/${namespace}/deployments`, object);
    if (namespace === own.namespace) {
      const held = secretObject(namespace, await aLeaf(ca));
      await cluster.admin.create(`/api/v1/namespaces/${namespace}/secrets`, { ...held, metadata: { name: secret } });
    }
    await eventually(async () => {
      const found = await cluster.admin.get<Workload>(`/apis/apps/v1/namespaces/${namespace}/deployments/${workload}`);
      return found !== undefined && isSettled(found);
    });
  }

  /** The API server takes up an admission policy by a watch of its own, about a second late. */
  async function isUnderPolicy(): Promise<boolean> {
    const value = { attempt: String((attempts += 1)) };
    const path = `/apis/apps/v1/namespaces/${booking.namespace}/deployments/${booking.workload}`;
    const attempt = cluster.client.patch(path, [{ op: 'add', path: '/metadata/labels', value }]);
    return attempt.then(
      () => false,
      () => true,
    );
  }
  let attempts = 0;

  const targetOf = ({ namespace, secret }: typeof booking, rollout: 'rolling' | 'scale' | 'none') =>
    createTarget({
      name: secret,
      config: { ...targetConfig(namespace, rollout), secret, allowIdle: true, taskQueues: [] },
      timing: targetTiming,
      client,
      pollers: async () => [],
      presentedByThisProcess: () => undefined,
      namespaces: [],
    });

  it('safety 22: allows all that a rotation of a target does, from a missing Secret to adopted pods', async () => {
    const target = targetOf(booking, 'rolling');
    await target.inspect();
    const delivery = await target.deliver(await aLeaf(ca));
    await target.deliver(await aLeaf(ca));
    await target.rollOut((await target.delivered())!, silent);
    assert.ok((await target.adoption((await target.delivered())!)).adopted);
    assert.ok(delivery);
  });

  it('safety 21, 22: allows all that the rollout scale does, with deploy/rbac-scale.yaml, and nothing else', async () => {
    const target = targetOf(scaled, 'scale');
    await target.inspect();
    const delivery = await target.deliver(await aLeaf(ca));
    await target.rollOut(delivery, silent);
    assert.ok((await target.adoption(delivery)).adopted);
    const granted = (await grantsOf('deploy/rbac-scale.yaml')).map((grant) => ({
      ...grant,
      namespace: scaled.namespace,
      name: grant.name && scaled.workload,
    }));
    assert.equal(granted.length, 3);
    assert.deepEqual(granted.filter(isUnused), []);
  });

  it('safety 22: allows all that the rotation worker does to its own Secret', async () => {
    const target = targetOf(own, 'none');
    await target.inspect();
    const path = `/api/v1/namespaces/${own.namespace}/secrets/${own.secret}`;
    await target.deliver(await aLeaf(ca));
    await cluster.admin.delete(path);
    const delivery = await target.deliver(await aLeaf(ca));
    assert.equal((await target.adoption(delivery)).holders.length, 1);
  });

  it('safety 22: allows the keystore and the look for the marker', async () => {
    const config = { kind: 'kubernetes', namespace: 'cert-rotation', allowPlaintext: false } as const;
    const keystore = createKeystore(config, { kubernetes: client, encryptionKey: randomBytes(32).toString('base64') });
    const { version } = await keystore.create('ca.acme', { ...ca, owner: 'authority/acme' });
    await keystore.update('ca.acme', { ...ca, owner: 'authority/acme' }, version);
    assert.equal((await keystore.list('ca.')).length, 1);
    assert.ok((await keystore.get('ca.acme'))?.key);
    await keystore.delete('ca.acme');
    type Marker = KubernetesObject & { readonly data: { readonly id: string } };
    const marker = await cluster.admin.get<Marker>(
      `/api/v1/namespaces/${sandboxMarker.namespace}/configmaps/${sandboxMarker.name}`,
    );
    await assertSandboxMarker(client, marker!.data.id);
  });

  it('safety 22: allows nothing else: each verb on each resource was used by the tests before this one', async () => {
    const granted = await grantsOf('deploy/rbac.yaml');
    assert.equal(new Set(granted.map(({ role }) => role)).size, 3);
    assert.deepEqual(granted.filter(isUnused), []);
  });

  async function grantsOf(file: string) {
    const documents = parseAllDocuments(await readFile(file, 'utf8')).map(
      (one) => one.toJS() as KubernetesObject & { readonly rules?: readonly Rule[] },
    );
    return documents.flatMap(({ metadata, rules = [] }) =>
      rules.flatMap(({ apiGroups, resources, resourceNames = [undefined], verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            resourceNames.flatMap((name) =>
              verbs.map((verb) => {
                const { namespace, name: role } = metadata!;
                return { role: `${namespace}/${role}`, namespace: namespace!, group, resource, name, verb };
              }),
            ),
          ),
        ),
      ),
    );
  }

  const isUnused = (grant: Awaited<ReturnType<typeof grantsOf>>[number]): boolean =>
    !used.some(
      (one) =>
        (['namespace', 'group', 'resource', 'verb'] as const).every((part) => one[part] === grant[part]) &&
        (grant.name === undefined || grant.name === one.name),
    );

  describe('safety 22: refuses what the product must not do', () => {
    const core = (path: string) => `/api/v1/namespaces/${path}`;
    const apps = (path: string) => `/apis/apps/v1/namespaces/${path}`;
    const rbac = (path: string) => `/apis/rbac.authorization.k8s.io/v1/namespaces/${path}`;
    const named = (kind: string, name: string, apiVersion = 'v1'): KubernetesObject => ({
      apiVersion,
      kind,
      metadata: { name },
    });
    const manager = 'cert-rotation/secret';
    const change = [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }] as const;

    const refused: Readonly<Record<string, (as: KubernetesClient) => Promise<unknown>>> = {
      'listing the Secrets of a target namespace': (as) => as.list(core('temporal-booking/secrets')),
      'getting another Secret': (as) => as.get(core('temporal-booking/secrets/database')),
      'writing another Secret': (as) =>
        as.apply(core('temporal-booking/secrets/database'), named('Secret', 'database'), manager),
      'creating a Secret by POST': (as) => as.create(core('temporal-booking/secrets'), named('Secret', booking.secret)),
      'replacing the Secret': (as) =>
        as.replace(core(`temporal-booking/secrets/${booking.secret}`), named('Secret', booking.secret)),
      'deleting the Secret': (as) => as.delete(core(`temporal-booking/secrets/${booking.secret}`)),
      'executing in a pod': (as) => as.create(core('temporal-booking/pods/any/exec?command=env'), {}),
      'reading the log of a pod': (as) => as.get(core('temporal-booking/pods/any/log')),
      'making a pod': (as) => as.create(core('temporal-booking/pods'), named('Pod', 'any')),
      'deleting a pod': (as) => as.delete(core('temporal-booking/pods/any')),
      'deleting the Deployment': (as) => as.delete(apps(`temporal-booking/deployments/${booking.workload}`)),
      'replacing the Deployment': (as) =>
        as.replace(
          apps(`temporal-booking/deployments/${booking.workload}`),
          named('Deployment', booking.workload, 'apps/v1'),
        ),
      'scaling the Deployment of a rolling target': (as) =>
        as.patch(apps(`temporal-booking/deployments/${booking.workload}/scale`), [
          { op: 'replace', path: '/spec/replicas', value: 0 },
        ]),
      'patching another Deployment': (as) => as.patch(apps('temporal-booking/deployments/billing'), change),
      'making a Deployment': (as) =>
        as.apply(apps('temporal-booking/deployments/mine'), named('Deployment', 'mine', 'apps/v1'), manager),
      'patching a StatefulSet': (as) => as.patch(apps('temporal-booking/statefulsets/any'), change),
      'patching its own Deployment': (as) => as.patch(apps(`cert-rotation/deployments/${own.workload}`), change),
      'reading other ConfigMaps of its own namespace': (as) => as.get(core('cert-rotation/configmaps/any')),
      'widening its own Role': (as) => as.patch(rbac('temporal-booking/roles/cert-rotation-target'), change),
      'binding itself to another Role': (as) =>
        as.create(rbac('temporal-booking/rolebindings'), named('RoleBinding', 'mine')),
      'minting a token': (as) => as.create(core('cert-rotation/serviceaccounts/cert-rotation/token'), {}),
      'looking at pods of another namespace': (as) => as.list(core('kube-system/pods')),
      'looking at Deployments of another namespace': (as) => as.list(apps('default/deployments')),
      'reading a Secret of another namespace': (as) => as.get(core(`default/secrets/${booking.secret}`)),
      'looking at all Secrets': (as) => as.list('/api/v1/secrets'),
      'looking at namespaces': (as) => as.list('/api/v1/namespaces'),
      'looking at nodes': (as) => as.list('/api/v1/nodes'),
    };
    for (const [what, attempt] of Object.entries(refused))
      it(what, () => assert.rejects(attempt(cluster.client), { type: 'KubernetesForbidden', message: /: 403 / }));
  });

  describe('safety 22: deploy/admission-policy.yaml refuses what the Roles alone would allow', () => {
    const deployment = `/apis/apps/v1/namespaces/${booking.namespace}/deployments/${booking.workload}`;
    const secret = `/api/v1/namespaces/${booking.namespace}/secrets/${booking.secret}`;
    const ownSecrets = `/api/v1/namespaces/${own.namespace}/secrets`;
    const add = (path: string, value: unknown): JsonPatchOperation => ({ op: 'add', path, value });
    const template = '/spec/template/spec';
    const text = Buffer.from('text').toString('base64');
    before(async () => {
      await targetOf(booking, 'rolling').deliver(await aLeaf(ca));
      await cluster.admin.patch(secret, [add('/data/ca.crt', text), add('/metadata/annotations/note', 'theirs')]);
    });

    const workloadChanges: Readonly<Record<string, JsonPatchOperation>> = {
      'another image': add(`${template}/containers/0/image`, 'evil'),
      'another command': add(`${template}/containers/0/command`, ['sh']),
      'a variable': add(`${template}/containers/0/env/-`, { name: 'A', value: 'b' }),
      'a volume with another Secret': add(`${template}/volumes/-`, {
        name: 'loot',
        secret: { secretName: 'database' },
      }),
      'a container beside it': add(`${template}/containers/-`, { name: 'evil', image: 'evil' }),
      'another service account': add(`${template}/serviceAccountName`, 'admin'),
      'a label of the pods': add('/spec/template/metadata/labels/a', 'b'),
      'an annotation of others on the pods': add('/spec/template/metadata/annotations/inject', 'sidecar'),
      'an annotation of others on the workload': add('/metadata/annotations/a', 'b'),
      'an owner': add('/metadata/ownerReferences', [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'mine', uid: 'b3e6a52' },
      ]),
      'the replicas, past the scale subresource': add('/spec/replicas', 7),
      'a pause': add('/spec/paused', true),
      'another strategy': add('/spec/strategy', { type: 'Recreate' }),
    };
    for (const [what, change] of Object.entries(workloadChanges))
      it(`of a workload: ${what}`, () =>
        assert.rejects(cluster.client.patch(deployment, [change]), {
          type: 'KubernetesForbidden',
          message: /ValidatingAdmissionPolicy 'cert-rotation-workloads'/,
        }));

    const secretChanges: Readonly<Record<string, JsonPatchOperation>> = {
      'another key': add('/data/password', text),
      'another value of a key of others': add('/data/ca.crt', Buffer.from('evil').toString('base64')),
      'a key of others less': { op: 'remove', path: '/data/ca.crt' },
      'a label': add('/metadata/labels', { a: 'b' }),
      'an annotation of others': add('/metadata/annotations/a', 'b'),
      'an annotation of others less': { op: 'remove', path: '/metadata/annotations/note' },
      'that it be immutable': add('/immutable', true),
    };
    const denied = { type: 'KubernetesForbidden', message: /: 403 Forbidden/ };
    for (const [what, change] of Object.entries(secretChanges))
      it(`of a Secret: ${what}`, () => assert.rejects(cluster.client.patch(secret, [change]), denied));

    it('of a Secret: one of another type, where there is none', async () => {
      await cluster.admin.delete(secret);
      const opaque: KubernetesObject & { readonly data: object } = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: booking.secret, namespace: booking.namespace },
        data: { password: text },
      };
      await assert.rejects(cluster.client.apply(secret, opaque, 'cert-rotation/secret'), denied);
      await targetOf(booking, 'rolling').deliver(await aLeaf(ca));
    });

    it('of the namespace of the keystore: anything but its entries', async () => {
      const token = {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/service-account-token',
        metadata: { name: 'token', annotations: { 'kubernetes.io/service-account.name': 'cert-rotation' } },
      };
      await assert.rejects(cluster.client.create<KubernetesObject>(ownSecrets, token), denied);
      await assert.rejects(cluster.client.delete(`${ownSecrets}/${own.secret}`), denied);
      assert.ok(await cluster.admin.get(`${ownSecrets}/${own.secret}`));
    });

    it('safety 22: and whatever else somebody allows it by mistake, cluster-admin included', async () => {
      const binding = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'mistake' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'ServiceAccount', name: 'cert-rotation', namespace: 'cert-rotation' }],
      };
      const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
      await cluster.admin.create(bindings, binding);
      try {
        await eventually(() =>
          cluster.client.list('/api/v1/namespaces').then(
            () => true,
            () => false,
          ),
        );
        const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'mine' }, spec: mounting('worker') };
        const made = workloadObject(booking.namespace, 'Deployment', { name: 'mine' });
        const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine' } };
        const namespaced = `namespaces/${booking.namespace}`;
        const attempts: readonly Promise<unknown>[] = [
          cluster.client.create<KubernetesObject>(`/api/v1/${namespaced}/pods`, pod),
          cluster.client.create(`/api/v1/${namespaced}/pods/any/exec?command=env`, {}),
          cluster.client.create<KubernetesObject>(`/apis/apps/v1/${namespaced}/deployments`, made),
          cluster.client.delete(deployment),
          cluster.client.create<KubernetesObject>(`/api/v1/${namespaced}/configmaps`, config),
          cluster.client.create<KubernetesObject>(bindings, { ...binding, metadata: { name: 'mine' } }),
          cluster.client.create('/api/v1/namespaces/cert-rotation/serviceaccounts/default/token', {}),
        ];
        const results = await Promise.allSettled(attempts);
        assert.deepEqual(
          results.map((result) =>
            result.status === 'rejected' ? /ValidatingAdmissionPolicy/.exec(String(result.reason))?.[0] : 'allowed',
          ),
          attempts.map(() => 'ValidatingAdmissionPolicy'),
        );
      } finally {
        await cluster.admin.delete(`${bindings}/mistake`);
      }
    });
  });
});
