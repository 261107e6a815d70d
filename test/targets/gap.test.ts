import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TargetConfig } from '../../src/config/schema.js';
import { gapOf } from '../../src/targets/kubernetes/gap.js';
import type { Workload, WorkloadKind } from '../../src/targets/kubernetes/objects.js';

describe('safety 33: a rollout has a gap unless each pod stays until a new one is ready, and ready means something', () => {
  const container = { name: 'worker', readinessProbe: {} };
  const spec = (replicas: number, more: object = {}) => ({
    replicas,
    template: { spec: { containers: [container] } },
    ...more,
  });
  const rollingUpdate = (maxUnavailable: number | string) => ({
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable },
  });
  const gap = (kind: WorkloadKind, workloadSpec: Workload['spec'], rollout: TargetConfig['rollout'] = 'rolling') =>
    gapOf({ kind, name: 'w', path: '', workload: { spec: workloadSpec! } }, rollout);

  const none: [string, WorkloadKind, Workload['spec'], TargetConfig['rollout']?][] = [
    ['one replica, because a quarter of it is none', 'Deployment', spec(1)],
    ['three, for the same reason', 'Deployment', spec(3)],
    ['a maximum of no unavailable pod', 'Deployment', spec(40, { strategy: rollingUpdate(0) })],
    ['the same in per cent', 'Deployment', spec(40, { strategy: rollingUpdate('2%') })],
    ['a DaemonSet with that maximum', 'DaemonSet', spec(1, { updateStrategy: rollingUpdate(0) })],
    ['no rollout at all', 'StatefulSet', spec(1), 'none'],
  ];
  for (const [name, kind, workload, rollout] of none)
    it(`none: ${name}`, () => assert.equal(gap(kind, workload, rollout), undefined));

  const some: [string, RegExp, WorkloadKind, Workload['spec'], TargetConfig['rollout']?][] = [
    ['scale', /scaled to 0 and back/, 'Deployment', spec(3), 'scale'],
    ['a quarter of four is one', /may miss 1 of its pods/, 'Deployment', spec(4)],
    ['as many as it is told', /may miss 2/, 'Deployment', spec(4, { strategy: rollingUpdate('50%') })],
    ['Recreate', /updates by Recreate/, 'Deployment', spec(1, { strategy: { type: 'Recreate' } })],
    ['OnDelete', /updates by OnDelete/, 'DaemonSet', spec(1, { updateStrategy: { type: 'OnDelete' } })],
    ['a StatefulSet, always', /ends each pod before its successor/, 'StatefulSet', spec(3)],
    ['a DaemonSet that is not told otherwise', /may miss 1/, 'DaemonSet', spec(1)],
    [
      'no readiness probe',
      /has no readiness probe/,
      'Deployment',
      spec(1, { template: { spec: { containers: [{ name: 'worker' }] } } }),
    ],
  ];
  for (const [name, expected, kind, workload, rollout] of some)
    it(`some: ${name}`, () => assert.match(gap(kind, workload, rollout) ?? 'none', expected));
});
