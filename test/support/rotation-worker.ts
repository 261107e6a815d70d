import type { Sandbox } from '../../src/sandbox/index.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import type { Workload } from '../../src/targets/kubernetes/objects.js';
import { eventually } from './eventually.js';

/** As a node that is drained, or a new version, would: the rotation worker is told to stop and another one starts. */
export async function replaceRotationWorker({ kubernetes, nodeAgent }: Sandbox): Promise<void> {
  const workers = () => [...nodeAgent.pods()].filter(([name]) => name.startsWith('cert-rotation-worker-'));
  const before = new Set(workers().map(([name]) => name));
  for (const name of before) await kubernetes.admin.delete(`/api/v1/namespaces/cert-rotation/pods/${name}`);
  await eventually(async () => workers().length === 1 && !before.has(workers()[0]![0]), 60_000);
  // Its own Deployment is a target: preflight wants it well.
  const deployment = '/apis/apps/v1/namespaces/cert-rotation/deployments/cert-rotation-worker';
  await eventually(async () => isSettled((await kubernetes.admin.get<Workload>(deployment))!), 60_000);
}
