import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Client } from '@temporalio/client';
import { readTrust, withTrust } from '../../src/cloud/namespace-spec.js';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { booking } from '../../src/sandbox/configuration.js';
import { available, type Sandbox } from '../../src/sandbox/index.js';
import { applyManifest } from '../../src/sandbox/manifests.js';
import { tell, tellIfKnown, type Told } from '../../src/temporal/history.js';
import { readCertificates } from '../../src/x509/read.js';
import { aCa } from '../support/certificates.js';
import { SandboxRun } from '../support/sandbox-run.js';

const deployment = '/apis/apps/v1/namespaces/temporal-booking/deployments/temporal-booking-worker';
const binding = '/apis/rbac.authorization.k8s.io/v1/namespaces/temporal-booking/rolebindings/cert-rotation-target';
const leafRotation = { type: 'leafRotation', id: 'leaf/booking-worker', input: { target: 'booking-worker' } };
const caRotation = { type: 'caRotation', id: 'ca/temporal-booking', input: { authority: booking.authority } };

describe('a rotation that cannot go on says why, and leaves every target on the certificate that works', () => {
  let run: SandboxRun;
  let dir: string;
  let sandbox: Sandbox;
  let client: Client;
  const unready = () => join(dir, 'unready');

  before(async () => {
    const timing = { rolloutDeadline: '12s', proof: { successes: 2, over: '1s', deadline: '5s' } };
    run = await SandboxRun.begin(() => ({ timing }));
    ({ dir, sandbox, client } = run);
    // New pods are ready unless the file is there; those that are ready already stay so.
    const probe = { exec: { command: ['test', '!', '-e', unready()] } };
    const path = '/spec/template/spec/containers/0/readinessProbe';
    await sandbox.kubernetes.admin.patch(deployment, [{ op: 'replace', path, value: probe }]);
    await settled();
  });
  after(() => run?.stop());

  type Deployment = KubernetesObject & {
    readonly status?: {
      readonly updatedReplicas?: number;
      readonly replicas?: number;
      readonly observedGeneration?: number;
    };
  };
  async function settled(): Promise<void> {
    for (;;) {
      const { metadata, status: seen } = (await sandbox.kubernetes.admin.get<Deployment>(deployment))!;
      if (seen?.observedGeneration === metadata?.generation && seen?.updatedReplicas === 3 && seen.replicas === 3)
        break;
      await wait(200);
    }
    await available(sandbox.kubernetes, deployment, 3);
  }

  async function leafInPlace(): Promise<string> {
    type Secret = KubernetesObject & { readonly data: Readonly<Record<string, string>> };
    const path = '/api/v1/namespaces/temporal-booking/secrets/temporal-booking-tls';
    const { data } = (await sandbox.kubernetes.admin.get<Secret>(path))!;
    return readCertificates(Buffer.from(data['tls.crt']!, 'base64').toString())[0]!.fingerprint;
  }

  const bundle = () =>
    readCertificates(readTrust(sandbox.store.get(booking.namespace).spec).bundlePem).map((ca) => ca.fingerprint);

  /** Runs it to its end; the leaf in place and the bundle must be what they were. */
  async function fails({ type, id, input }: { type: string; id: string; input: object }): Promise<Told> {
    const [leaf, trusted] = [await leafInPlace(), bundle()];
    const handle = await client.workflow.start(type, { workflowId: id, taskQueue: 'cert-rotation', args: [input] });
    await assert.rejects(handle.result());
    assert.equal(await leafInPlace(), leaf, 'the target holds another leaf');
    assert.deepEqual(
      bundle().filter((ca) => trusted.includes(ca)),
      trusted,
      'a CA that was trusted is not any more',
    );
    const told = await tell(client, id);
    assert.equal(told.outcome, 'failed');
    return told;
  }

  /** Resolves once the rotation has begun to put the previous pair back. */
  async function restoring(): Promise<void> {
    const began = async () => (await tellIfKnown(client, leafRotation.id))?.steps.at(-1)?.activity === 'restoreTarget';
    while (!(await began())) await wait(200);
  }

  it('a wrong API key: CloudUnauthenticated', async () => {
    sandbox.cloud.faults.push({ method: 'GetNamespace', code: status.UNAUTHENTICATED, when: 'before' });
    assert.match((await fails(caRotation)).failure!, /UNAUTHENTICATED.*changed nothing.*create a new one/);
  });

  it('a bundle that is full: BundleFull, before a CA is made', async () => {
    const others = await Promise.all(Array.from({ length: 15 }, (_, index) => aCa({ organization: `Other ${index}` })));
    const { bundlePem, filters } = readTrust(sandbox.store.get(booking.namespace).spec);
    const own = readCertificates(bundlePem);
    const full = [...own, ...others.map(({ certificate }) => certificate)];
    sandbox.store.edit(booking.namespace, (spec) => withTrust(spec, { bundle: full, filters }));
    const told = await fails(caRotation);
    assert.match(told.failure!, /17 CAs.*16 CAs or 32 KB/);
    sandbox.store.edit(booking.namespace, (spec) => withTrust(spec, { bundle: own, filters }));
  });

  it('a rollout whose pods never get ready: RolloutFailed names the pod, and the previous pair is back', async () => {
    await writeFile(unready(), '');
    const failed = fails(leafRotation);
    await Promise.race([restoring(), failed]);
    await rm(unready());
    const told = await failed;
    assert.match(told.failure!, /temporal-booking-worker-[0-9a-f]+-[0-9a-z]+/);
    await settled();
  });

  it('no permission: KubernetesForbidden names the object and the manifest that allows it', async () => {
    await sandbox.kubernetes.admin.delete(binding);
    const told = await fails(leafRotation);
    await applyManifest(sandbox.kubernetes.admin, 'deploy/rbac.yaml');
    assert.match(told.failure!, /temporal-booking.*deploy\/rbac\.yaml/);
  });

  it('a namespace that refuses the new leaf: ProbeRefused, before anything used it', async () => {
    // The filter refuses the workers of the booking, too, and may end them: nothing that needs them healthy comes after this.
    const { bundlePem, filters } = readTrust(sandbox.store.get(booking.namespace).spec);
    await sandbox.gateway.setTrust(booking.namespace, { bundlePem, filters: [{ commonName: 'cert-rotation-worker' }] });
    const told = await fails(leafRotation);
    await sandbox.gateway.setTrust(booking.namespace, { bundlePem, filters });
    assert.match(told.failure!, /refused \(rpc\): any call: Request unauthorized/);
    assert.deepEqual(
      told.steps.map(({ activity }) => activity).filter((activity) => /updateTarget|rollOut/.test(activity)),
      [],
    );
  });

  it('no workload: NoConsumer', async () => {
    await sandbox.kubernetes.admin.delete(deployment);
    while ((await sandbox.kubernetes.admin.list('/api/v1/namespaces/temporal-booking/pods')).length > 0)
      await wait(200);
    assert.match((await fails(leafRotation)).failure!, /No workload in temporal-booking uses the Secret/);
  });

  it('safety 8: no key is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
