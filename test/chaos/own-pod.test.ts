import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { booking } from '../../src/sandbox/configuration.js';
import { available, type Sandbox } from '../../src/sandbox/index.js';
import { applyManifest } from '../../src/sandbox/manifests.js';
import type { LeafRotationResult } from '../../src/domain/rotation.js';
import { pollSpans } from '../../src/sandbox/gateway/polls.js';
import type { Adoption } from '../../src/targets/target.js';
import { tell } from '../../src/temporal/history.js';
import { SandboxRun } from '../support/sandbox-run.js';

const name = 'cert-rotation-worker';
const deployment = `/apis/apps/v1/namespaces/cert-rotation/deployments/${name}`;
const role = '/apis/rbac.authorization.k8s.io/v1/namespaces/cert-rotation/roles/cert-rotation-target';

describe('safety 33: the only rotation worker rolls its own pod in the middle of its own activity', () => {
  let run: SandboxRun;
  let sandbox: Sandbox;
  let client: Client;
  before(async () => {
    run = await SandboxRun.begin(() => ({ rotationWorker: false, workersFollow: true }));
    ({ sandbox, client } = run);
    const { configFile, kubernetes } = sandbox;
    const written = await readFile(configFile, 'utf8');
    const rolling = written.replace(/(rotation-worker:(?:\n {4}.*)*?\n {4}rollout: )none/, '$1rolling');
    assert.notEqual(rolling, written);
    const config = parse(rolling) as { targets: Record<string, object> };
    config.targets['booking-worker'] = { ...config.targets['booking-worker'], rollout: 'none' };
    await writeFile(configFile, stringify(config));
    const allowed = { apiGroups: ['apps'], resources: ['deployments'], resourceNames: [name], verbs: ['get', 'patch'] };
    await kubernetes.admin.patch(role, [{ op: 'add', path: '/rules/-', value: allowed }]);
    await applyManifest(kubernetes.admin, 'deploy/worker.yaml');
    await available(kubernetes, deployment, 1);
  });
  after(() => run?.stop());

  it('safety 33: its successor, on the new leaf, takes the rotation over and ends it', async () => {
    const pods = async () => {
      const found = await sandbox.kubernetes.admin.list<KubernetesObject>('/api/v1/namespaces/cert-rotation/pods');
      return found.map(({ metadata }) => metadata!.name!);
    };
    const before = await pods();
    const workflowId = 'leaf/rotation-worker';
    const handle = await client.workflow.start('leafRotation', {
      workflowId,
      taskQueue: 'cert-rotation',
      args: [{ target: 'rotation-worker' }],
    });
    await handle.result();
    const after = await pods();
    assert.deepEqual([before.length, after.length], [1, 1]);
    assert.notDeepEqual(after, before);
    const { steps, outcome } = await tell(client, workflowId);
    assert.equal(outcome, 'completed');
    assert.deepEqual(
      steps.map(({ activity }) => activity).filter((activity) => activity === 'rollOut'),
      ['rollOut'],
      'it is one rollout, tried again by the successor',
    );
  });

  it('safety 19: workers that follow their certificate files are proved by what they report, and nothing restarts', async () => {
    const list = () => sandbox.kubernetes.admin.list<KubernetesObject>('/api/v1/namespaces/temporal-booking/pods');
    const names = async () => (await list()).map(({ metadata }) => metadata!.name!).sort();
    const before = await names();
    const workflowId = 'leaf/booking-worker';
    const handle = await client.workflow.start('leafRotation', {
      workflowId,
      taskQueue: 'cert-rotation',
      args: [{ target: 'booking-worker' }],
    });
    const { newFingerprint } = (await handle.result()) as LeafRotationResult;
    assert.deepEqual(await names(), before);
    const { results } = await tell(client, workflowId);
    const { holders } = results['confirmAdoption'] as Adoption;
    assert.deepEqual(
      holders.map(({ name: pod, evidence }) => [pod, evidence]).toSorted(([a], [b]) => a!.localeCompare(b!)),
      before.map((pod) => [pod, 'presents the leaf, polls temporal-booking']),
    );
    const polls = pollSpans(await sandbox.gateway.record(), 'PollWorkflowTaskQueue', booking.taskQueue);
    const since = (await sandbox.gateway.record()).find(
      ({ kind, leaf, namespace }) => kind === 'connected' && leaf === newFingerprint && namespace === booking.namespace,
    );
    assert.ok(since && polls.some(({ to }) => to > since.t), 'the new leaf was never used');
  });

  it('safety 8: no key of the run is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(), []));
});
