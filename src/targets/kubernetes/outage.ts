import type { TargetConfig } from '../../config/schema.js';
import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient, KubernetesObject } from '../../kubernetes/client.js';
import type { Consumer } from './consumers.js';
import { wantedPods, type Workload } from './objects.js';
import { keeperOf } from './owners.js';

/** What scales a workload by itself (kubernetes.io/docs/reference/kubernetes-api). */
interface Autoscaler extends KubernetesObject {
  readonly spec?: { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } };
}

interface DisruptionBudget extends KubernetesObject {
  readonly spec?: {
    readonly selector?: LabelSelector;
    /** A number, or a percentage. */
    readonly minAvailable?: number | string;
    readonly maxUnavailable?: number | string;
  };
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: string[];
  }[];
}

interface Opponents {
  readonly autoscalers: readonly Autoscaler[];
  readonly budgets: readonly DisruptionBudget[];
}

/**
 * The rollout `scale` takes every pod of a workload away at once. Throws WouldBeOutage where somebody said that this must not
 * be, or would scale it back meanwhile, unless the target says `allowOutage` (safety 21).
 */
export async function refuseOutage(
  client: KubernetesClient,
  { namespace, rollout, allowOutage }: Pick<TargetConfig, 'namespace' | 'rollout' | 'allowOutage'>,
  consumers: readonly Consumer[],
): Promise<void> {
  if (rollout !== 'scale' || allowOutage) return;
  const [autoscalers, budgets] = await Promise.all([
    client.list<Autoscaler>(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`),
    client.list<DisruptionBudget>(`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`),
  ]);
  for (const consumer of consumers) {
    const reason = reasonAgainst(consumer, { autoscalers, budgets });
    if (reason) throw new RotationError('WouldBeOutage', `${consumer.kind} ${consumer.name} is not scaled: ${reason}.`);
  }
}

function reasonAgainst({ kind, name, workload }: Consumer, { autoscalers, budgets }: Opponents): string | undefined {
  const scaler = autoscalers.find(
    ({ spec }) => spec?.scaleTargetRef?.kind === kind && spec.scaleTargetRef.name === name,
  );
  if (scaler) return `${nameOf(scaler)} scales it by itself`;
  const keeper = keeperOf(workload);
  if (keeper) return `${keeper} would scale it back`;
  const budget = budgets.find((one) => selects(one.spec?.selector, workload) && !allowsNone(one, workload));
  return budget && `PodDisruptionBudget ${budget.metadata?.name} wants some of its pods at any time`;
}

/** KEDA scales through autoscalers of its own, which a person knows by the name of their ScaledObject. */
function nameOf({ metadata }: Autoscaler): string {
  const scaledObject = metadata?.labels?.['scaledobject.keda.sh/name'];
  return scaledObject ? `KEDA's ScaledObject ${scaledObject}` : `HorizontalPodAutoscaler ${metadata?.name}`;
}

function allowsNone({ spec }: DisruptionBudget, workload: Workload): boolean {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (minAvailable !== undefined) return Number.parseInt(String(minAvailable), 10) === 0;
  if (typeof maxUnavailable === 'number') return maxUnavailable >= wantedPods(workload);
  return Number.parseInt(maxUnavailable ?? '0', 10) >= 100;
}

/** As policy/v1 reads selectors: an empty one means every pod, none at all means no pod. */
function selects(selector: LabelSelector | undefined, { spec }: Workload): boolean {
  const labels = new Map(Object.entries(spec?.template?.metadata?.labels ?? {}));
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    selector !== undefined &&
    Object.entries(matchLabels).every(([key, value]) => labels.get(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const isOneOf = values.includes(labels.get(key) ?? '') && labels.has(key);
      if (operator === 'Exists') return labels.has(key);
      if (operator === 'DoesNotExist') return !labels.has(key);
      return operator === 'In' ? isOneOf : !isOneOf;
    })
  );
}
