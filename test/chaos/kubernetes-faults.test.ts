import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { RotationError } from '../../src/domain/failures.js';
import { createKubernetesClient, type KubernetesClient } from '../../src/kubernetes/client.js';
import type { Delivery } from '../../src/targets/target.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificate } from '../../src/x509/read.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { certificateFile, startCluster, type Cluster } from '../support/cluster.js';
import { startFaultyApiServer, type ApiFault, type FaultyApiServer } from '../support/faulty-api-server.js';
import { filesOf, placesWithKeys } from '../support/key-scan.js';
import { makeServerCertificate } from '../support/server-certificate.js';
import { placeTarget, silent, type Placed } from '../support/target.js';
import { kubernetesObjects } from '../support/witness.js';

const faults: readonly ApiFault[] = [
  { answer: 409, when: 'before' },
  { answer: 429, when: 'before' },
  { answer: 500, when: 'before' },
  { answer: 500, when: 'after' },
  { answer: 'broken connection', when: 'before' },
  { answer: 'broken connection', when: 'after' },
];

describe('safety 44: a fault at any call of the Kubernetes API is retried, and nobody is restarted twice', () => {
  let cluster: Cluster;
  let api: FaultyApiServer;
  let client: KubernetesClient;
  let [ca, old]: KeyPair[] = [];
  let injected = 0;
  const leaves: KeyPair[] = [];
  const failures: string[] = [];
  async function newLeaf(): Promise<KeyPair> {
    const leaf = await aLeaf(ca!);
    leaves.push(leaf);
    return leaf;
  }
  before(async () => {
    cluster = await startCluster();
    ca = await aCa();
    old = await newLeaf();
    api = await startFaultyApiServer(cluster.kubeconfig, makeServerCertificate(cluster.dir));
    client = await createKubernetesClient({ kubeconfig: api.kubeconfig });
  });
  after(async () => {
    api?.stop();
    await cluster?.stop();
  });

  /** As Temporal does: again and again while the failure is one that a retry may mend. */
  async function retried<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        failures.push(String(error));
        if (!(error instanceof RotationError) || !error.retryable) throw error;
      }
    }
  }

  async function rotate(placed: Placed): Promise<Delivery> {
    const target = () => placed.target({ client });
    const leaf = await newLeaf();
    await retried(() => target().inspect());
    await retried(() => target().read());
    const delivery = await retried(() => target().deliver(leaf));
    await retried(() => target().rollOut(delivery, silent));
    const adoption = await retried(() => target().adoption(delivery));
    assert.ok(adoption.adopted, JSON.stringify(adoption.holders));
    return delivery;
  }

  for (const rollout of ['rolling', 'scale'] as const)
    for (const fault of faults) {
      it(`${rollout}: each call once gets ${fault.answer}, ${fault.when} its effect`, async () => {
        const placed = await placeTarget(cluster, { pair: old!, rollout });
        const revisions = (await placed.workload()).metadata!.generation!;
        const first = api.spoiled.length;
        api.spoilEach(fault);
        const delivery = await rotate(placed);
        const calls = api.spoiled.slice(first);
        injected += calls.length;
        for (const expected of [/^GET .*secrets/, /^GET .*pods/, /^PATCH .*secrets/, /^PATCH .*deployments/])
          assert.ok(
            calls.some((call) => expected.test(call)),
            `${expected} was not spoiled: ${calls.join(', ')}`,
          );

        const { metadata, spec } = await placed.settled();
        assert.equal(spec?.replicas, 2);
        // One change of the template; for scale its five writes, of which annotations count, too.
        const changes = metadata!.generation! - revisions;
        assert.equal(changes, rollout === 'scale' ? 5 : 1, 'it was rolled out more than once');
        for (const { metadata: pod } of await placed.pods()) {
          const used = readFileSync(certificateFile(cluster, placed.namespace, pod!.name!), 'utf8');
          assert.equal(readCertificate(used).fingerprint, delivery.leaf);
        }
      });
    }

  it('pods that stay Pending: RolloutFailed names one, and those with the old leaf go on', async () => {
    const image = 'gone-from-the-registry';
    cluster.images[image] = cluster.images['worker']!;
    const placed = await placeTarget(cluster, { pair: old!, image });
    const before = (await placed.pods()).map(({ metadata }) => metadata!.name!);
    delete cluster.images[image];
    const target = placed.target({ timing: { rolloutDeadline: 2000 } });
    const delivery = await target.deliver(await newLeaf());
    await assert.rejects(target.rollOut(delivery, silent), {
      type: 'RolloutFailed',
      message: /pod worker-\S+: Pending/,
    });
    const running = (await placed.pods()).filter(({ status }) => status?.phase === 'Running');
    assert.ok(running.length >= 1 && running.every(({ metadata }) => before.includes(metadata!.name!)));
  });

  it('safety 8: no key is in an object, an event, a failure or a log of a pod', async () => {
    const places = [
      ...(await kubernetesObjects({ kubernetes: cluster })),
      ...(await filesOf(cluster.dir, (path) => !/\.log$/.test(path))),
      { name: 'failures', content: Buffer.from(failures.join('\n')) },
    ];
    const keys = leaves.map(({ key }) => key.keyObject());
    assert.deepEqual(placesWithKeys(places, keys, [/^object .*worker/, /^failures/, /\.log$/]), []);
  });

  it('counts', (test) => {
    assert.ok(injected >= 100, String(injected));
    test.diagnostic(`faults injected ${injected}, survived ${injected}`);
  });
});
