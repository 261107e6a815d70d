import type { KubernetesObject } from '../../kubernetes/client.js';
import type { Delivery } from '../target.js';

/** On the Secret: the leaf it holds. On pod templates, and so on pods: the delivery that they were rolled onto. */
export const leafAnnotation = 'cert-rotation.temporal.io/leaf';
const deliveredAnnotation = 'cert-rotation.temporal.io/delivered-at';

/**
 * What rolls a workload onto a delivery. The same delivery again restarts nothing; the same leaf, written again after
 * something else was in the Secret, does: pods may have started in between.
 */
export function stampFor({ leaf, at }: Delivery): Readonly<Record<string, string>> {
  return { [leafAnnotation]: leaf, [deliveredAnnotation]: at };
}

/** Does the pod or pod template carry the stamp of this delivery? */
export function isStamped(object: KubernetesObject | undefined, delivery: Delivery): boolean {
  const { annotations } = object?.metadata ?? {};
  return Object.entries(stampFor(delivery)).every(([name, value]) => annotations?.[name] === value);
}
