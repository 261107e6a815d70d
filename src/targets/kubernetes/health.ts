import type { TargetConfig } from '../../config/schema.js';
import { RotationError } from '../../domain/failures.js';
import type { Consumer } from './consumers.js';
import { isSettled, recordedReplicas } from './rollout.js';
import { neverSeesUpdates } from './uses.js';

type How = TargetConfig['rollout'];
type Check = (consumer: Consumer, rollout: How) => string | undefined;

const refusals: readonly Check[] = [
  ({ workload }, rollout) =>
    rollout !== 'none' && workload.spec?.paused ? 'is paused: a rollout would never happen' : undefined,
  ({ workload }, rollout) =>
    rollout !== 'none' && workload.spec?.updateStrategy?.type === 'OnDelete'
      ? 'updates on delete only: a rollout would never happen'
      : undefined,
  ({ workload }, rollout) =>
    rollout !== 'none' && (workload.spec?.updateStrategy?.rollingUpdate?.partition ?? 0) > 0
      ? 'has a partition: the pods below it would keep the old certificate'
      : undefined,
  ({ kind }, rollout) =>
    rollout === 'scale' && kind === 'DaemonSet' ? 'cannot be scaled: use the rollout rolling' : undefined,
];

/**
 * Throws WorkloadUnhealthy for a workload that a rollout would not get over, WorkloadUnsettled for one that is not well now. Where
 * its leaf has `expired` it cannot be well, and a rollout is what mends it (safety 42).
 */
export function refuseUnhealthy(consumer: Consumer, rollout: How, expired: boolean): void {
  const { kind, name, workload } = consumer;
  const reason = refusals.map((refusal) => refusal(consumer, rollout)).find((found) => found !== undefined);
  if (reason) throw new RotationError('WorkloadUnhealthy', `${kind} ${name} ${reason}.`);
  if (!expired && !isSettled(workload))
    throw new RotationError(
      'WorkloadUnsettled',
      `${kind} ${name} is not settled: pods are being replaced, missing or not available.`,
    );
}

export function warningsOf(
  consumer: Consumer,
  { rollout, secret }: Pick<TargetConfig, 'rollout' | 'secret'>,
): string[] {
  const { kind, name, workload } = consumer;
  const recorded = recordedReplicas(workload);
  const warnings = [
    workload.spec?.strategy?.type === 'Recreate' && 'recreates its pods: nothing works meanwhile',
    workload.spec?.replicas === 1 && rollout === 'rolling' && 'has one replica',
    rollout === 'rolling' &&
      !workload.spec?.template?.spec?.containers?.some(({ readinessProbe }) => readinessProbe) &&
      'has no readiness probe: a pod counts as ready before it polls, and the next one is replaced',
    recorded !== undefined && `goes back to ${recorded} replicas, from which an earlier rollout took it down`,
    rollout === 'none' &&
      neverSeesUpdates(workload.spec?.template?.spec, secret) &&
      'reads the Secret by subPath or environment: it never sees a new one without a restart',
  ];
  return warnings.flatMap((text) => (text ? [`${kind} ${name} ${text}`] : []));
}
