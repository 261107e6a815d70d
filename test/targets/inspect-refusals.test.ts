import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { startCluster, untilAllowed, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { createIn, refusalOf } from '../support/inspected.js';
import { mounting, placeTarget, workloadObject, type Placed } from '../support/target.js';

describe('inspecting a Kubernetes target', { concurrency: 4 }, () => {
  let cluster: Cluster;
  let leaf: KeyPair;
  before(async () => {
    [cluster, leaf] = await Promise.all([startCluster(), aCa().then((ca) => aLeaf(ca))]);
  });
  after(() => cluster?.stop());

  describe(
    'safety 22: what will not be allowed later is refused now: KubernetesForbidden',
    { concurrency: true },
    () => {
      const forbidden = async (placed: Placed, missing: string) => {
        const { type, message, fix } = await refusalOf(placed);
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
        await createIn(cluster, placed, 'apis/apps/v1/{}/statefulsets', second);
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
        const { type, message } = await refusalOf(placed);
        assert.equal(type, 'KubernetesForbidden');
        assert.match(message, new RegExp(`cannot list resource "pods" .* in the namespace "${placed.namespace}"`));
      });
    },
  );

  describe('safety 21: a workload that a rollout would not get over: WorkloadUnhealthy', { concurrency: true }, () => {
    const unhealthy = async (placed: Placed, message: RegExp) => {
      const error = await refusalOf(placed);
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
      const error = await refusalOf(placed);
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
          await createIn(cluster, placed, path, object);
          const { type, message, fix } = await refusalOf(placed);
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
          (await refusalOf(placed)).message,
          /not scaled: Flux \(kustomize\.toolkit\.fluxcd\.io\/name: shop\)/,
        );
      });

      it('safety 21: not against those of other workloads, or that ask for nothing', async () => {
        const placed = await placeTarget(cluster, { pair: leaf, rollout: 'scale' });
        await createIn(cluster, placed, autoscalers, autoscaler('another'));
        const asking: readonly object[] = [
          { selector: { matchLabels: { app: 'another' } }, minAvailable: 1 },
          { selector: ours, minAvailable: 0 },
          { selector: ours, maxUnavailable: '100%' },
          { selector: ours, maxUnavailable: 2 },
        ];
        for (const [index, spec] of asking.entries())
          await createIn(cluster, placed, budgets, { ...budget(spec), metadata: { name: `budget-${index}` } });
        assert.equal((await placed.target().inspect()).consumers.length, 1);
      });
    },
  );
});
