import type { TargetConfig } from '../../config/schema.js';
import type { Consumer } from './consumers.js';
import { wantedPods, type Workload } from './objects.js';

/**
 * Why fewer pods than wanted may work while the workload rolls; undefined where each old one stays until a new one is ready, and
 * ready means something (kubernetes.io/docs/concepts/workloads/controllers/deployment: max unavailable, rounded down).
 */
export function gapOf({ kind, name, workload }: Consumer, rollout: TargetConfig['rollout']): string | undefined {
  if (rollout === 'none') return undefined;
  const why = rollout === 'scale' ? 'is scaled to 0 and back' : (fewerOf(workload, kind) ?? unproved(workload));
  return why && `${kind} ${name} ${why}`;
}

function fewerOf(workload: Workload, kind: Consumer['kind']): string | undefined {
  if (kind === 'StatefulSet') return 'ends each pod before its successor starts';
  const { strategy, updateStrategy } = workload.spec ?? {};
  const { type, rollingUpdate } = strategy ?? updateStrategy ?? {};
  if (type === 'Recreate' || type === 'OnDelete') return `updates by ${type}`;
  const unset = kind === 'DaemonSet' ? 1 : '25%';
  const missing = podsOf(rollingUpdate?.maxUnavailable ?? unset, wantedPods(workload));
  return missing > 0 ? `may miss ${missing} of its pods (maxUnavailable)` : undefined;
}

function unproved({ spec }: Workload): string | undefined {
  const containers = spec?.template?.spec?.containers ?? [];
  return containers.some(({ readinessProbe }) => readinessProbe) ? undefined : 'has no readiness probe';
}

function podsOf(limit: number | string, wanted: number): number {
  return typeof limit === 'number' ? limit : Math.floor((Number.parseFloat(limit) / 100) * wanted);
}
