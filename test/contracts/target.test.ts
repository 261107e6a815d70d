import { readFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import type { Fingerprint } from '../../src/domain/certificate.js';
import { reportIdentity, presentedQueue } from '../../src/domain/reports.js';
import type { WorkloadKind } from '../../src/targets/kubernetes/objects.js';
import type { Poller } from '../../src/targets/target.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificate } from '../../src/x509/read.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { certificateFile, startCluster, type Cluster } from '../support/cluster.js';
import { placeTarget, pollersOf } from '../support/target.js';
import { targetContract, type TargetUnderTest } from './target.js';

/** How a pod says what it presents. */
type Reporting = 'here' | 'by poll' | 'by poll where its leaf is for';

describe('contract of Target', { concurrency: true }, () => {
  let cluster: Cluster;
  let ca: KeyPair;
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
  });
  after(() => cluster?.stop());

  type Rollout = 'rolling' | 'scale' | 'none';

  /** `reports`: how a workload that reloads by itself says what it presents. */
  async function kubernetes(rollout: Rollout, kind: WorkloadKind, reports?: Reporting): Promise<TargetUnderTest> {
    const reloads = rollout === 'none';
    const initial = await aLeaf(ca);
    const image = reloads ? 'reloading-worker' : 'worker';
    const replicas = reloads ? 1 : 2;
    const placed = await placeTarget(cluster, { pair: initial, rollout, kind, image, replicas });
    const running = async () => (await placed.pods()).filter(({ metadata }) => !metadata?.deletionTimestamp);
    const names = async () => (await running()).map(({ metadata }) => metadata!.name!);
    const usedBy = (pod: string): Fingerprint =>
      readCertificate(readFileSync(certificateFile(cluster, placed.namespace, pod), 'utf8')).fingerprint;
    const [reporter] = await names();
    const presented = () => ({ pod: reporter!, fingerprint: usedBy(reporter!) });
    const lastAccessTime = new Date().toISOString();
    const polled = async ({ name }: { name: string }): Promise<readonly Poller[]> =>
      name === presentedQueue
        ? [{ identity: reportIdentity({ process: `1@${reporter!}`, value: usedBy(reporter!) }), lastAccessTime }]
        : pollersOf(await placed.pods());
    const reporting = {
      here: { presentedByThisProcess: presented },
      'by poll': { pollers: polled },
      'by poll where its leaf is for': {
        config: { taskQueues: [] },
        namespaces: ['orders.acct'],
        pollers: async (queue: { namespace: string; name: string }) =>
          queue.namespace === 'orders.acct' ? polled(queue) : [],
      },
    };
    return {
      initial,
      leaf: () => aLeaf(ca),
      target: () => placed.target(reports ? reporting[reports] : {}),
      inUse: async () => new Map((await names()).map((name) => [name, usedBy(name)])),
      starts: async () => (await running()).map(({ metadata }) => metadata!.uid!).sort(),
    };
  }

  const rows: readonly (readonly [Rollout, WorkloadKind, Reporting?])[] = [
    ['rolling', 'Deployment'],
    ['rolling', 'StatefulSet'],
    ['rolling', 'DaemonSet'],
    ['scale', 'Deployment'],
    ['scale', 'StatefulSet'],
    ['none', 'Deployment', 'here'],
    ['none', 'Deployment', 'by poll'],
    ['none', 'Deployment', 'by poll where its leaf is for'],
  ];
  // The rows run side by side, the promises of each one after the other.
  for (const [rollout, kind, reports] of rows)
    describe(`kubernetes, ${rollout}, ${kind}${reports ? `, reported ${reports}` : ''}`, { concurrency: 1 }, () =>
      targetContract(() => kubernetes(rollout, kind, reports), { reloads: rollout === 'none' }),
    );
});
