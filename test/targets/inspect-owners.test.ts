import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { createIn, placeUnused, refusalOf } from '../support/inspected.js';
import { mounting, placeTarget } from '../support/target.js';

describe('inspecting a Kubernetes target', { concurrency: 4 }, () => {
  let cluster: Cluster;
  let leaf: KeyPair;
  before(async () => {
    [cluster, leaf] = await Promise.all([startCluster(), aCa().then((ca) => aLeaf(ca))]);
  });
  after(() => cluster?.stop());

  const labels = { app: 'other' };
  const template = (spec: object) => ({ metadata: { labels }, spec: { restartPolicy: 'Never', ...spec } });

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
        await createIn(cluster, placed, path, object);
        if (path.includes('replicasets')) await eventually(async () => (await placed.pods()).length === 1);
        const { type, message } = await refusalOf(placed);
        assert.deepEqual([type, message.slice(message.indexOf(': ') + 2)], ['UnknownOwner', `${name}.`]);
      });
    }

    it('safety 20: also where nothing else uses the Secret', async () => {
      const placed = await placeUnused(cluster, leaf);
      await createIn(cluster, placed, 'apis/batch/v1/{}/cronjobs', cronJob);
      assert.deepEqual((await refusalOf(placed)).type, 'UnknownOwner');
    });

    it('safety 20: pods that pose as those of a Deployment by all their names are not its own', async () => {
      const placed = await placeTarget(cluster, { pair: leaf, replicas: 0 });
      const posing = { app: 'other', 'pod-template-hash': 'abc' };
      const spec = {
        replicas: 1,
        selector: { matchLabels: posing },
        template: { metadata: { labels: posing }, spec: mounting('none') },
      };
      await createIn(cluster, placed, 'apis/apps/v1/{}/replicasets', { ...replicaSet({ name: 'worker-abc' }), spec });
      await eventually(async () => (await placed.pods()).length === 1);
      assert.match((await refusalOf(placed)).message, /ReplicaSet worker-abc\.$/);
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
      await createIn(cluster, placed, 'apis/batch/v1/{}/jobs', job);
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
      await createIn(cluster, placed, 'api/v1/{}/pods', pods({ name: 'done' }));
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
});
