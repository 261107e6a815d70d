import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { KubernetesClient, KubernetesObject } from '../../src/kubernetes/client.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import type { Workload } from '../../src/targets/kubernetes/objects.js';
import { isStamped, stampFor } from '../../src/targets/kubernetes/stamp.js';
import type { Delivery } from '../../src/targets/target.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificate } from '../../src/x509/read.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { certificateFile, startCluster, type Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { filesOf, placesWithKeys } from '../support/key-scan.js';
import { mounting, placeTarget, pollersOf, secretObject, silent, type Placed } from '../support/target.js';
import { kubernetesObjects } from '../support/witness.js';

const replicasAnnotation = 'cert-rotation.temporal.io/replicas';

describe('rollouts of a Kubernetes target', () => {
  let cluster: Cluster;
  let ca: KeyPair;
  let old: KeyPair;
  before(async () => {
    [cluster, ca] = await Promise.all([startCluster(), aCa()]);
    old = await newLeaf();
  });
  after(() => cluster?.stop());

  const leaves: KeyPair[] = [];
  async function newLeaf(): Promise<KeyPair> {
    const leaf = await aLeaf(ca);
    leaves.push(leaf);
    return leaf;
  }

  /** The truth: what the pod's process read when it started. */
  const startedWith = ({ namespace }: Placed, pod: string) =>
    readCertificate(readFileSync(certificateFile(cluster, namespace, pod), 'utf8')).fingerprint;
  const names = async (placed: Placed) => (await placed.pods()).map(({ metadata }) => metadata!.name!).sort();
  const uids = async (placed: Placed) => (await placed.pods()).map(({ metadata }) => metadata!.uid!).sort();

  async function assertAllOn(placed: Placed, delivery: Delivery): Promise<void> {
    for (const pod of await names(placed))
      assert.equal(startedWith(placed, pod), delivery.leaf, `${pod} started with another`);
    assert.ok((await placed.target().adoption(delivery)).adopted);
  }

  describe('safety 19: propagation, with a kubelet whose cache is late', () => {
    const lateMs = 2500;
    const timing = { secretPropagation: 3000 };
    afterEach(() => cluster.agent.lateCache(0));

    /** Delivered, then asked for again as after a crash: the retry must wait as long. */
    async function delivered(placed: Placed): Promise<Delivery> {
      cluster.agent.lateCache(lateMs);
      const leaf = await newLeaf();
      await placed.target().deliver(leaf);
      return placed.target().deliver(leaf);
    }

    it('safety 19: a pod that started with the old Secret is never counted as adopted', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await delivered(placed);
      const [evicted] = await names(placed);
      await cluster.admin.delete(`/api/v1/namespaces/${placed.namespace}/pods/${evicted}`);

      let rolledOut = false;
      const rollout = placed
        .target({ timing })
        .rollOut(delivery, silent)
        .then(() => (rolledOut = true));
      const givenOld = new Set<string>();
      while (!rolledOut) {
        const { holders } = await placed.target({ timing }).adoption(delivery);
        for (const { name, adopted } of holders) {
          const leaf = await eventually(async () => startedWith(placed, name));
          if (leaf !== delivery.leaf) givenOld.add(name);
          assert.ok(!adopted || leaf === delivery.leaf, `${name} was started with the old leaf and counts as adopted`);
        }
      }
      await rollout;
      assert.ok(givenOld.size > 2, 'no new pod was given the old Secret: the fault did not show');
      assert.ok((await placed.target({ timing }).adoption(delivery)).adopted);
      await assertAllOn(placed, delivery);
    });

    it('safety 19: nor is a pod that carries the stamp, because somebody stamped too early', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await delivered(placed);
      const template = { metadata: { annotations: stampFor(delivery) } };
      const stamped: KubernetesObject = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'worker' },
        ...{ spec: { template } },
      };
      await cluster.admin.apply(placed.workloadPath, stamped, 'somebody');
      await placed.settled();
      assert.ok((await placed.pods()).every((pod) => isStamped(pod, delivery)));
      const { holders } = await placed.target({ timing }).adoption(delivery);
      assert.deepEqual(
        holders.map(({ adopted, evidence }) => [adopted, evidence]),
        [
          [false, 'was created before every kubelet had the new Secret'],
          [false, 'was created before every kubelet had the new Secret'],
        ],
      );
    });
  });

  describe('safety 19: the Secret stays as it was delivered', { concurrency: true }, () => {
    it('safety 18, 19: whoever puts the old one back makes the proof void', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await placed.target().deliver(await newLeaf());
      await placed.target().rollOut(delivery, silent);
      assert.ok((await placed.target().adoption(delivery)).adopted);
      await cluster.admin.replace(placed.secretPath, secretObject(placed.namespace, old));
      const { adopted, holders } = await placed.target().adoption(delivery);
      assert.equal(adopted, false);
      assert.match(
        holders.map(({ name, evidence }) => `${name} ${evidence}`).join(),
        /Secret .* holds another certificate/,
      );
    });

    it('safety 19: a rollout restarts nobody onto what is not the delivery', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await placed.target().deliver(await newLeaf());
      await cluster.admin.replace(placed.secretPath, secretObject(placed.namespace, old));
      const before = await uids(placed);
      await assert.rejects(placed.target().rollOut(delivery, silent), { type: 'SecretMismatch' });
      assert.deepEqual(await uids(placed), before);
    });

    it('safety 19: the same leaf, written again after another one lay there, restarts those who may have got that one', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const leaf = await newLeaf();
      const first = await placed.target().deliver(leaf);
      await placed.target().rollOut(first, silent);
      await cluster.admin.replace(placed.secretPath, secretObject(placed.namespace, old));
      await cluster.admin.delete(`/api/v1/namespaces/${placed.namespace}/pods/${(await names(placed))[0]}`);
      await eventually(
        async () =>
          (await placed.settled()) &&
          (await names(placed)).some((pod) => startedWith(placed, pod) === old.certificate.fingerprint),
      );
      const again = await placed.target().deliver(leaf);
      assert.notEqual(again.at, first.at);
      assert.equal((await placed.target().adoption(again)).adopted, false);
      await placed.target().rollOut(again, silent);
      await assertAllOn(placed, again);
    });
  });

  describe('scale', { concurrency: true }, () => {
    /** Dies after so many writes have taken effect. */
    function dying(afterWrites: number, onWrite: () => Promise<void> = async () => undefined): KubernetesClient {
      let left = afterWrites;
      const write = async <T>(work: () => Promise<T>): Promise<T> => {
        if (left === 0) throw new Error('killed');
        left -= 1;
        const done = await work();
        await onWrite();
        return done;
      };
      return {
        ...cluster.client,
        apply: (path, object, manager) => write(() => cluster.client.apply(path, object, manager)),
        patch: (path, operations, manager) => write(() => cluster.client.patch(path, operations, manager)),
      };
    }

    const writes = ['record the count', 'to 0', 'stamp', 'back', 'forget the count'];

    it('safety 17: the rollout scale takes five writes, and none of them drops what another one wrote', async () => {
      const placed = await placeTarget(cluster, { pair: old, rollout: 'scale', replicas: 2 });
      const delivery = await placed.target().deliver(await newLeaf());
      const seen: unknown[] = [];
      const note = async () => {
        const { metadata, spec } = await placed.workload();
        seen.push([metadata?.annotations?.[replicasAnnotation], spec?.replicas, isStamped(spec?.template, delivery)]);
      };
      const target = placed.target({ client: dying(Infinity, note) });
      await target.rollOut(delivery, silent, () => seen.push('restarting'));
      assert.deepEqual(seen, [
        'restarting',
        ['2', 2, false],
        ['2', 0, false],
        ['2', 0, true],
        ['2', 2, true],
        [undefined, 2, true],
      ]);
    });

    it('safety 17: replicas are written through the scale subresource alone, each purpose under a manager of its own', async () => {
      const placed = await placeTarget(cluster, { pair: old, rollout: 'scale', replicas: 2 });
      const delivery = await placed.target().deliver(await newLeaf());
      const written: string[] = [];
      const client: KubernetesClient = {
        ...cluster.client,
        apply: (path, object, manager) => {
          written.push(`${manager} ${/replicas":\d/.test(JSON.stringify(object)) ? 'replicas' : 'applies'}`);
          return cluster.client.apply(path, object, manager);
        },
        patch: (path, operations, manager) => {
          written.push(
            `${manager} ${path.slice(placed.workloadPath.length)} ${operations.map((one) => one.path).join()}`,
          );
          return cluster.client.patch(path, operations, manager);
        },
      };
      await placed.target({ client }).rollOut(delivery, silent);
      assert.deepEqual(written, [
        'cert-rotation/scale applies',
        'cert-rotation/scale /scale /spec/replicas',
        'cert-rotation/stamp applies',
        'cert-rotation/scale /scale /spec/replicas',
        'cert-rotation/scale applies',
      ]);
    });

    it('safety 17: killed after any of its writes, a second attempt ends with the same number of pods, all on the leaf', async (context) => {
      const placed = await placeTarget(cluster, { pair: old, rollout: 'scale', replicas: 2 });
      for (const [index, write] of writes.entries())
        await context.test(`killed after: ${write}`, async () => {
          const delivery = await placed.target().deliver(await newLeaf());
          const rollout = placed.target({ client: dying(index + 1) }).rollOut(delivery, silent);
          await (index + 1 < writes.length ? assert.rejects(rollout, /killed/) : rollout);
          const wasBack = (await placed.workload()).spec?.replicas === 2 && write !== 'record the count';
          const back = wasBack && (await uidsOnceSettled(placed));
          await placed.target().rollOut(delivery, silent);
          const { spec, metadata } = await placed.settled();
          assert.deepEqual([spec?.replicas, metadata?.annotations?.[replicasAnnotation]], [2, undefined]);
          if (back) assert.deepEqual(await uids(placed), back, 'pods that were back were restarted');
          await assertAllOn(placed, delivery);
        });
    });

    async function uidsOnceSettled(placed: Placed): Promise<readonly string[]> {
      await placed.settled();
      return uids(placed);
    }

    it('safety 17: the count survives a rotation that never came back, and inspect says so', async () => {
      const placed = await placeTarget(cluster, { pair: old, rollout: 'scale', replicas: 2 });
      const abandoned = await placed.target().deliver(await newLeaf());
      await assert.rejects(placed.target({ client: dying(2) }).rollOut(abandoned, silent), /killed/);
      await placed.settled();
      assert.match((await placed.target().inspect()).warnings.join(), /worker goes back to 2 replicas/);
      const delivery = await placed.target().deliver(await newLeaf());
      await placed.target().rollOut(delivery, silent);
      assert.equal((await placed.settled()).spec?.replicas, 2);
      await assertAllOn(placed, delivery);
    });

    it('safety 20: a workload that is meant to be idle stays so, and counts only because allowIdle says it may', async () => {
      const placed = await placeTarget(cluster, { pair: old, rollout: 'scale', replicas: 0 });
      const delivery = await placed.target().deliver(await newLeaf());
      await placed.target().rollOut(delivery, silent);
      assert.equal((await placed.settled()).spec?.replicas, 0);
      assert.equal((await placed.target().adoption(delivery)).adopted, false);
      const allowed = await placed.target({ config: { allowIdle: true } }).adoption(delivery);
      assert.deepEqual(allowed, { adopted: true, holders: [] });
    });
  });

  describe('that do not end', { concurrency: true }, () => {
    /** New pods get ready only while `broken` is not there; those that are ready stay so for a while. */
    function picky(name: string, image = 'worker') {
      const broken = join(cluster.dir, `broken-${name}`);
      const [container] = mounting(image).containers;
      const readinessProbe = { exec: { command: ['test', '!', '-e', broken] } };
      return { broken, podSpec: { containers: [{ ...container, readinessProbe }] } };
    }

    it('a pod that never gets ready: RolloutFailed names it when the deadline is over', async () => {
      const { broken, podSpec } = picky('deadline');
      const placed = await placeTarget(cluster, { pair: old, podSpec });
      await writeFile(broken, '');
      const delivery = await placed.target().deliver(await newLeaf());
      const target = placed.target({ timing: { rolloutDeadline: 2000 } });
      await assert.rejects(target.rollOut(delivery, silent), {
        type: 'RolloutFailed',
        message: /Deployment worker .*not finished in 2 s; pod worker-[0-9a-f]+-[0-9a-z]+: Running/,
      });
    });

    it('the progress deadline of the Deployment: RolloutFailed; and it does not fail the rollout back to the previous pair', async () => {
      const { broken, podSpec } = picky('progress');
      const placed = await placeTarget(cluster, { pair: old, podSpec, spec: { progressDeadlineSeconds: 4 } });
      await writeFile(broken, '');
      const delivery = await placed.target().deliver(await newLeaf());
      await assert.rejects(placed.target().rollOut(delivery, silent), {
        type: 'RolloutFailed',
        message: /has timed out progressing; pod worker-/,
      });
      await rm(broken);
      const previous = await placed.target().deliver(old);
      await placed.target({ client: behind(placed) }).rollOut(previous, silent);
      await assertAllOn(placed, previous);
    });

    /** As if the controller were a moment late: right after the stamp the workload says of itself what it said before. */
    function behind(placed: Placed): KubernetesClient {
      let said: Workload['status'];
      return {
        ...cluster.client,
        apply: async (path, object, manager) => {
          said = (await placed.workload()).status;
          return cluster.client.apply(path, object, manager);
        },
        get: async <T extends KubernetesObject>(path: string) => {
          const found = await cluster.client.get<T>(path);
          const late = said && { ...found!, status: said };
          said = undefined;
          return late ?? found;
        },
      };
    }

    it('safety 21: a first new pod that is ready and does not poll: RolloutFailed long before the deadline', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await placed.target().deliver(await newLeaf());
      const target = placed.target({ pollers: async () => [], timing: { pollDeadline: 500, rolloutDeadline: 60_000 } });
      await assert.rejects(target.rollOut(delivery, silent), {
        type: 'RolloutFailed',
        message: /pod worker-\S+ is ready and does not poll task queue booking; no new pod polled in 0\.5 s/,
      });
    });

    it('safety 21: nothing counts as success before one new pod polls', async () => {
      const placed = await placeTarget(cluster, { pair: old });
      const delivery = await placed.target().deliver(await newLeaf());
      let askedWhenSettled = 0;
      const pollers = async () =>
        isSettled(await placed.workload()) && (askedWhenSettled += 1) > 2 ? pollersOf(await placed.pods()) : [];
      const lines: string[] = [];
      await placed.target({ pollers }).rollOut(delivery, { ...silent, report: (line) => lines.push(line) });
      assert.ok(askedWhenSettled > 2, 'it ended before a new pod polled');
      assert.match(lines.join('\n'), /pod worker-\S+ is ready and does not poll task queue booking/);
    });

    it('a crash loop: RolloutFailed before any deadline, with the last message and nothing of the key that is in it', async () => {
      const { broken, podSpec } = picky('crash', 'fragile');
      cluster.images['fragile'] = {
        command: 'sh',
        args: [
          '-c',
          `test -e ${broken} && { echo "cannot use -----BEGIN PRIVATE KEY-----MIGHAgEA"; exit 3; }; exec cat`,
        ],
      };
      const placed = await placeTarget(cluster, { pair: old, podSpec, replicas: 1 });
      await writeFile(broken, '');
      const delivery = await placed.target().deliver(await newLeaf());
      await assert.rejects(placed.target({ timing: { rolloutDeadline: 300_000 } }).rollOut(delivery, silent), {
        type: 'RolloutFailed',
        message: /crash loop; pod worker-\S+: CrashLoopBackOff, last message: cannot use \[redacted\]\.$/,
      });
    });

    it('a workload that is deleted meanwhile: RolloutFailed', async () => {
      const { broken, podSpec } = picky('deleted');
      const placed = await placeTarget(cluster, { pair: old, podSpec });
      await writeFile(broken, '');
      const delivery = await placed.target().deliver(await newLeaf());
      const failed = assert.rejects(placed.target().rollOut(delivery, silent), {
        type: 'RolloutFailed',
        message: /is gone/,
      });
      await eventually(async () => isStamped((await placed.workload()).spec?.template, delivery));
      await cluster.admin.delete(placed.workloadPath);
      await failed;
    });
  });

  it('safety 8: no key is in an object, an event or a log of a pod', async () => {
    const places = [
      ...(await kubernetesObjects({ kubernetes: cluster })),
      ...(await filesOf(cluster.dir, (path) => !/\.log$/.test(path))),
    ];
    const keys = leaves.map(({ key }) => key.keyObject());
    assert.deepEqual(placesWithKeys(places, keys, [/^object .*worker/, /\.log$/]), []);
  });
});
