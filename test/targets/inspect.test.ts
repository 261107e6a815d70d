import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RotationError } from '../../src/domain/failures.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { startCluster, untilAllowed, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import {
  mounting,
  placeTarget,
  putSecret,
  secretName,
  silent,
  workloadObject,
  type Placed,
} from '../support/target.js';

describe('inspecting a Kubernetes target', { concurrency: 4 }, () => {
  let cluster: Cluster;
  let ca: KeyPair;
  let leaf: KeyPair;
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    leaf = await aLeaf(ca);
  });
  after(() => cluster?.stop());

  const create = ({ namespace }: Placed, path: string, object: object) =>
    cluster.admin.create(`/${path.replace('{}', `namespaces/${namespace}`)}`, object as KubernetesObject);
  const refusal = async (placed: Placed): Promise<RotationError> => {
    let error: unknown;
    await assert.rejects(placed.target().inspect(), (thrown: unknown) => ((error = thrown), true));
    return error as RotationError;
  };
  /** A namespace with the Secret and nothing that uses it. */
  async function unused(): Promise<Placed> {
    const placed = await placeTarget(cluster, {});
    await putSecret(cluster.admin, placed, leaf);
    return placed;
  }
  const labels = { app: 'other' };
  const template = (spec: object) => ({ metadata: { labels }, spec: { restartPolicy: 'Never', ...spec } });

  describe('safety 20: whoever uses the Secret is found, however it does', { concurrency: true }, () => {
    const container = { name: 'worker', image: 'none' };
    const unmounted = { volumes: [] };
    const reference = { name: secretName, key: 'tls.crt' };
    const uses: Readonly<Record<string, object>> = {
      'a volume': mounting('none'),
      'a projected volume': {
        containers: [container],
        volumes: [
          { name: 'all', projected: { sources: [{ configMap: { name: 'x' } }, { secret: { name: secretName } }] } },
        ],
      },
      'a CSI driver that is given it': {
        containers: [container],
        volumes: [{ name: 'csi', csi: { driver: 'secrets.acme', nodePublishSecretRef: { name: secretName } } }],
      },
      'an environment variable': {
        ...unmounted,
        containers: [{ ...container, env: [{ name: 'CERT', valueFrom: { secretKeyRef: reference } }] }],
      },
      'a whole environment': {
        ...unmounted,
        containers: [{ ...container, envFrom: [{ secretRef: { name: secretName } }] }],
      },
      'an init container': {
        ...unmounted,
        containers: [container],
        initContainers: [{ name: 'first', image: 'none', envFrom: [{ secretRef: { name: secretName } }] }],
      },
    };
    for (const [how, podSpec] of Object.entries(uses))
      for (const kind of ['Deployment', 'StatefulSet'] as const)
        it(`by ${how}, in a ${kind}`, async () => {
          const placed = await placeTarget(cluster, { pair: leaf, kind, replicas: 0, podSpec });
          assert.deepEqual((await placed.target().inspect()).consumers, [`${kind} ${placed.namespace}/worker`]);
        });

    it('safety 20: in every workload of the namespace, and only in those', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 0, rollout: 'none' });
      const other = (name: string, kind: 'Deployment' | 'DaemonSet', podSpec: object) =>
        workloadObject(placed.namespace, kind, { name, replicas: 0, podSpec });
      const nowhere = { nodeSelector: { nowhere: 'yes' } };
      await create(placed, 'apis/apps/v1/{}/daemonsets', other('every-node', 'DaemonSet', nowhere));
      await create(
        placed,
        'apis/apps/v1/{}/deployments',
        other('unrelated', 'Deployment', { volumes: [], containers: [container] }),
      );
      const { consumers } = await eventually(() => placed.target().inspect());
      assert.deepEqual(
        [...consumers].sort(),
        ['DaemonSet', 'Deployment'].map(
          (kind) => `${kind} ${placed.namespace}/${kind === 'DaemonSet' ? 'every-node' : 'worker'}`,
        ),
      );
    });
  });

  describe('safety 20: what cannot be rolled is named and refused: UnknownOwner', { concurrency: true }, () => {
    const foreign = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      name: 'booking',
      uid: '0b3e6a52-0000-4000-8000-000000000001',
      controller: true,
    };
    const pods = (metadata: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata, spec: mounting('none') });
    const replicaSet = (metadata: object) => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: mounting('none') },
      },
    });
    const jobSpec = { template: template(mounting('none')) };
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'migrate' }, spec: jobSpec };
    const cronJob = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly' },
      spec: { schedule: '0 0 * * *', jobTemplate: { spec: jobSpec } },
    };
    const strangers: Readonly<Record<string, [path: string, object: object, name: string]>> = {
      'a bare pod': ['api/v1/{}/pods', pods({ name: 'debug' }), 'Pod debug'],
      'a Job, by its template': ['apis/batch/v1/{}/jobs', job, 'Job migrate'],
      'a CronJob, by its template': ['apis/batch/v1/{}/cronjobs', cronJob, 'CronJob nightly'],
      'a ReplicaSet that nobody owns': [
        'apis/apps/v1/{}/replicasets',
        replicaSet({ name: 'left-over' }),
        'ReplicaSet left-over',
      ],
      'a pod of a controller that is not known here': [
        'api/v1/{}/pods',
        pods({ name: 'booking-1', ownerReferences: [foreign] }),
        'Rollout booking',
      ],
      'a ReplicaSet of a controller that is not known here': [
        'apis/apps/v1/{}/replicasets',
        replicaSet({ name: 'booking-5f', ownerReferences: [foreign] }),
        'Rollout booking',
      ],
    };
    for (const [what, [path, object, name]] of Object.entries(strangers)) {
      it(`${what}, beside a Deployment`, async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        await create(placed, path, object);
        if (path.includes('replicasets')) await eventually(async () => (await placed.pods()).length === 1);
        const { type, message } = await refusal(placed);
        assert.deepEqual([type, message.slice(message.indexOf(': ') + 2)], ['UnknownOwner', `${name}.`]);
      });
    }

    it('safety 20: also where nothing else uses the Secret', async () => {
      const placed = await unused();
      await create(placed, 'apis/batch/v1/{}/cronjobs', cronJob);
      assert.deepEqual((await refusal(placed)).type, 'UnknownOwner');
    });

    it('safety 20: pods that pose as those of a Deployment by all their names are not its own', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
      const posing = { app: 'other', 'pod-template-hash': 'abc' };
      const spec = {
        replicas: 1,
        selector: { matchLabels: posing },
        template: { metadata: { labels: posing }, spec: mounting('none') },
      };
      await create(placed, 'apis/apps/v1/{}/replicasets', { ...replicaSet({ name: 'worker-abc' }), spec });
      await eventually(async () => (await placed.pods()).length === 1);
      assert.match((await refusal(placed)).message, /ReplicaSet worker-abc\.$/);
    });

    it('safety 20: a pod of a revision that is made while we look is no stranger', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 1 });
      const image = { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'none' } as const;
      const list = async <T extends KubernetesObject>(path: string) => {
        if (path.endsWith('/pods')) {
          await cluster.admin.patch(placed.workloadPath, [image]);
          await eventually(async () => (await placed.pods()).length === 2);
        }
        return cluster.client.list<T>(path);
      };
      const slow = placed.target({ client: { ...cluster.client, list } });
      await assert.rejects(slow.inspect(), { type: 'WorkloadUnsettled' });
    });

    it('safety 20: what has ended is no use: a finished Job, a pod that succeeded', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
      await create(placed, 'apis/batch/v1/{}/jobs', job);
      const now = new Date().toISOString().replace(/\.\d+/, '');
      const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: now,
        lastProbeTime: now,
      }));
      const ended = {
        ...job,
        metadata: { ...job.metadata, namespace: placed.namespace },
        status: { conditions, startTime: now, completionTime: now },
      };
      await cluster.admin.apply(
        `/apis/batch/v1/namespaces/${placed.namespace}/jobs/migrate/status`,
        ended as KubernetesObject,
        'test',
      );
      await create(placed, 'api/v1/{}/pods', pods({ name: 'done' }));
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'done', namespace: placed.namespace },
        status: { phase: 'Succeeded' },
      };
      await cluster.admin.apply(
        `/api/v1/namespaces/${placed.namespace}/pods/done/status`,
        pod as KubernetesObject,
        'test',
      );
      assert.equal((await placed.target().inspect()).consumers.length, 1);
    });
  });

  it('safety 20: nobody uses the Secret: NoConsumer', async () => {
    const placed = await unused();
    assert.deepEqual((await refusal(placed)).type, 'NoConsumer');
  });

  it('safety 20: without a single pod nothing counts as adopted', async () => {
    const placed = await unused();
    const delivery = await placed.target().deliver(await aLeaf(ca));
    assert.deepEqual(await placed.target({ config: { allowIdle: true } }).adoption(delivery), {
      adopted: false,
      holders: [],
    });
  });

  it('safety 20: pods that are wanted and not there are no idleness, whatever allowIdle says', async () => {
    const placed = await placeTarget(cluster, { pair: leaf, replicas: 1 });
    const delivery = await placed.target().deliver(await aLeaf(ca));
    const target = placed.target({ config: { allowIdle: true } });
    await target.rollOut(delivery, silent);
    const noPods = {
      ...cluster.client,
      list: async (path: string) => (path.endsWith('/pods') ? [] : cluster.client.list(path)),
    };
    const blind = placed.target({ config: { allowIdle: true }, client: noPods as typeof cluster.client });
    assert.deepEqual((await blind.adoption(delivery)).holders, [
      { name: 'Deployment worker', adopted: false, evidence: 'has no pods' },
    ]);
  });

  describe(
    'safety 22: what will not be allowed later is refused now: KubernetesForbidden',
    { concurrency: true },
    () => {
      const forbidden = async (placed: Placed, missing: string) => {
        const { type, message, fix } = await refusal(placed);
        assert.deepEqual(
          [type, message],
          ['KubernetesForbidden', `Not allowed in namespace ${placed.namespace}: ${missing}. Nothing was changed.`],
        );
        assert.match(fix, /deploy\/rbac\.yaml/);
      };
      const role = ({ namespace }: Placed) =>
        `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/cert-rotation-target`;
      async function without(placed: Placed, resource: string, verb: string): Promise<void> {
        type Role = KubernetesObject & { rules: { resources: string[]; verbs: string[] }[] };
        const found = (await cluster.admin.get<Role>(role(placed)))!;
        const rules = found.rules.map((rule) =>
          rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) } : rule,
        );
        await cluster.admin.replace(role(placed), { ...found, rules: rules.filter(({ verbs }) => verbs.length > 0) });
        const name = resource === 'secrets' ? { name: 'worker-tls' } : {};
        await untilAllowed(cluster.client, { namespace: placed.namespace, verb, resource, ...name }, false);
      }

      it('safety 22: patching the Secret', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        await without(placed, 'secrets', 'patch');
        await forbidden(placed, 'patch secrets worker-tls');
      });

      it('safety 22: creating the Secret, where there is none', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        await cluster.admin.delete(placed.secretPath);
        await without(placed, 'secrets', 'create');
        await forbidden(placed, 'create secrets worker-tls');
      });

      it('safety 22: patching a workload that the Role does not name', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        const second = workloadObject(placed.namespace, 'StatefulSet', { name: 'second', replicas: 0 });
        await create(placed, 'apis/apps/v1/{}/statefulsets', second);
        await forbidden(placed, 'get statefulsets second, patch statefulsets second');
      });

      it('safety 22: scaling, for the rollout scale', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        const target = placed.target({ config: { rollout: 'scale' } });
        await assert.rejects(target.inspect(), {
          type: 'KubernetesForbidden',
          message: /: list horizontalpodautoscalers, list poddisruptionbudgets, patch deployments\/scale worker\. /,
        });
      });

      it('safety 22: looking for pods', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
        await without(placed, 'pods', 'list');
        const { type, message } = await refusal(placed);
        assert.equal(type, 'KubernetesForbidden');
        assert.match(message, new RegExp(`cannot list resource "pods" .* in the namespace "${placed.namespace}"`));
      });
    },
  );

  describe('safety 21: a workload that a rollout would not get over: WorkloadUnhealthy', { concurrency: true }, () => {
    const unhealthy = async (placed: Placed, message: RegExp) => {
      const error = await refusal(placed);
      assert.equal(error.type, 'WorkloadUnhealthy');
      assert.match(error.message, message);
    };

    for (const rollout of ['rolling', 'scale'] as const)
      it(`paused, to be rolled out by ${rollout}`, async () => {
        const placed = await placeTarget(cluster, { pair: leaf, rollout, replicas: 0 });
        await cluster.admin.patch(placed.workloadPath, [{ op: 'add', path: '/spec/paused', value: true }]);
        await unhealthy(placed, /Deployment worker is paused/);
      });

    it('a StatefulSet with a partition: the pods below it would never be rolled', async () => {
      const spec = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } };
      const placed = await placeTarget(cluster, { pair: leaf, kind: 'StatefulSet', replicas: 0, spec });
      await unhealthy(placed, /StatefulSet worker has a partition/);
    });

    it('updated on delete only', async () => {
      const spec = { updateStrategy: { type: 'OnDelete' } };
      await unhealthy(
        await placeTarget(cluster, { pair: leaf, kind: 'StatefulSet', replicas: 0, spec }),
        /on delete only/,
      );
    });

    it('a DaemonSet that is to be scaled', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, kind: 'DaemonSet', rollout: 'scale' });
      await unhealthy(placed, /DaemonSet worker cannot be scaled/);
    });

    it('but one whose pods are being replaced is looked at again: WorkloadUnsettled', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 1 });
      await cluster.admin.patch(placed.workloadPath, [
        { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'none' },
      ]);
      await eventually(async () => (await placed.pods()).length === 2);
      const error = await refusal(placed);
      assert.deepEqual([error.type, error.retryable], ['WorkloadUnsettled', true]);
      assert.match(error.message, /Deployment worker is not settled/);
    });

    it('safety 42: but not where its leaf has expired: then a rollout is what mends it', async () => {
      const long = Date.now() - 40 * 86_400_000;
      const expired = await aLeaf(await aCa({ now: new Date(long) }), { now: new Date(long) });
      const placed = await placeTarget(cluster, { pair: expired, replicas: 1 });
      await cluster.admin.patch(placed.workloadPath, [
        { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'none' },
      ]);
      await eventually(async () => (await placed.pods()).length === 2);
      assert.equal((await placed.target().inspect()).current?.fingerprint, expired.certificate.fingerprint);
    });
  });

  it('safety 21: warns of one replica, of Recreate, of readiness that says nothing, and of a Secret that is never seen anew', async () => {
    const placed = await placeTarget(cluster, { pair: leaf, replicas: 1, spec: { strategy: { type: 'Recreate' } } });
    assert.deepEqual((await placed.target().inspect()).warnings, [
      'Deployment worker recreates its pods: nothing works meanwhile',
      'Deployment worker has one replica',
      'Deployment worker has no readiness probe: a pod counts as ready before it polls, and the next one is replaced',
    ]);
    const readinessProbe = { exec: { command: ['true'] } };
    const ready = { containers: [{ ...mounting('worker').containers[0], readinessProbe }] };
    const good = await placeTarget(cluster, { pair: leaf, podSpec: ready });
    assert.deepEqual((await good.target().inspect()).warnings, []);
    const [container] = mounting('none').containers;
    const volumeMounts = [{ name: 'certs', mountPath: '/etc/certs/tls.crt', subPath: 'tls.crt' }];
    const podSpec = { containers: [{ ...container, volumeMounts }] };
    const fixed = await placeTarget(cluster, { pair: leaf, replicas: 0, rollout: 'none', podSpec });
    assert.match((await fixed.target().inspect()).warnings.join(), /never sees a new one without a restart/);
  });

  describe(
    'safety 21: scaling to 0 against somebody who scales or needs pods is refused: WouldBeOutage',
    { concurrency: true },
    () => {
      const autoscalers = 'apis/autoscaling/v2/{}/horizontalpodautoscalers';
      const autoscaler = (of: string, metadata: object = {}) => ({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'busy', ...metadata },
        spec: { maxReplicas: 9, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: of } },
      });
      const budgets = 'apis/policy/v1/{}/poddisruptionbudgets';
      const budget = (spec: object) => ({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'some' },
        spec,
      });
      const ours = { matchLabels: { app: 'worker' } };
      const expression = { matchExpressions: [{ key: 'app', operator: 'In', values: ['worker', 'web'] }] };
      const label = { 'scaledobject.keda.sh/name': 'queue-length' };
      const against: Readonly<Record<string, [path: string, object: object, reason: RegExp]>> = {
        'a HorizontalPodAutoscaler': [autoscalers, autoscaler('worker'), /HorizontalPodAutoscaler busy scales it/],
        'KEDA, by the autoscaler that it makes': [
          autoscalers,
          autoscaler('worker', { labels: label }),
          /KEDA's ScaledObject queue-length scales it/,
        ],
        'a budget of available pods': [
          budgets,
          budget({ selector: ours, minAvailable: 1 }),
          /PodDisruptionBudget some wants some of its pods/,
        ],
        'a budget in percent': [budgets, budget({ selector: ours, minAvailable: '50%' }), /PodDisruptionBudget some/],
        'a budget of missing pods': [
          budgets,
          budget({ selector: ours, maxUnavailable: 1 }),
          /PodDisruptionBudget some/,
        ],
        'a budget by an expression': [budgets, budget({ selector: expression, minAvailable: 1 }), /Budget some/],
        'a budget of every pod': [budgets, budget({ selector: {}, minAvailable: 1 }), /Budget some/],
      };
      for (const [what, [path, object, reason]] of Object.entries(against))
        it(what, async () => {
          const placed = await placeTarget(cluster, { pair: leaf, rollout: 'scale' });
          await create(placed, path, object);
          const { type, message, fix } = await refusal(placed);
          assert.equal(type, 'WouldBeOutage');
          assert.match(message, reason);
          assert.match(fix, /allowOutage: true/);
          const allowed = placed.target({ config: { allowOutage: true } });
          assert.equal((await allowed.inspect()).consumers.length, 1);
        });

      it('safety 21: a GitOps tool, by its marks on the workload', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, rollout: 'scale', replicas: 0 });
        const value = { 'kustomize.toolkit.fluxcd.io/name': 'shop' };
        await cluster.admin.patch(placed.workloadPath, [{ op: 'add', path: '/metadata/labels', value }]);
        await placed.settled();
        assert.match(
          (await refusal(placed)).message,
          /not scaled: Flux \(kustomize\.toolkit\.fluxcd\.io\/name: shop\)/,
        );
      });

      it('safety 21: not against those of other workloads, or that ask for nothing', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, rollout: 'scale' });
        await create(placed, autoscalers, autoscaler('another'));
        const asking: readonly object[] = [
          { selector: { matchLabels: { app: 'another' } }, minAvailable: 1 },
          { selector: ours, minAvailable: 0 },
          { selector: ours, maxUnavailable: '100%' },
          { selector: ours, maxUnavailable: 2 },
        ];
        for (const [index, spec] of asking.entries())
          await create(placed, budgets, { ...budget(spec), metadata: { name: `budget-${index}` } });
        assert.equal((await placed.target().inspect()).consumers.length, 1);
      });
    },
  );
});
