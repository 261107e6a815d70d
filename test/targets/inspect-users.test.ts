import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KeyPair } from '../../src/x509/pair.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { createIn, placeUnused, refusalOf } from '../support/inspected.js';
import { mounting, placeTarget, secretName, silent, workloadObject } from '../support/target.js';

describe('inspecting a Kubernetes target', { concurrency: 4 }, () => {
  let cluster: Cluster;
  let ca: KeyPair;
  let leaf: KeyPair;
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    leaf = await aLeaf(ca);
  });
  after(() => cluster?.stop());

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
      await createIn(cluster, placed, 'apis/apps/v1/{}/daemonsets', other('every-node', 'DaemonSet', nowhere));
      await createIn(
        cluster,
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

  it('safety 20: nobody uses the Secret: NoConsumer', async () => {
    const placed = await placeUnused(cluster, leaf);
    assert.deepEqual((await refusalOf(placed)).type, 'NoConsumer');
  });

  it('safety 20: without a single pod nothing counts as adopted', async () => {
    const placed = await placeUnused(cluster, leaf);
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
});
