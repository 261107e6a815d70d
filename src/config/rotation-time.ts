import { atOnce } from '../domain/intervention.js';
import { longestRowMs } from '../domain/longest-wait.js';
import type { Config } from './schema.js';
import { windowRules } from './windows.js';

const dayMs = 86_400_000;

/** The longest until every target of an authority is restarted, windows included: canaries one by one, then the others, a few at once. */
export function restartsMs(config: Config, authority: string): number {
  const { secretPropagation, rolloutDeadline } = config.timing;
  const restarted = Object.values(config.targets).filter(
    (target) => target.authority === authority && target.rollout !== 'none',
  );
  const canaries = restarted.filter(({ canary }) => canary).length;
  const count = canaries + Math.ceil((restarted.length - canaries) / atOnce);
  return longestRowMs(windowRules(config, 'restarts'), { count, stepMs: secretPropagation + rolloutDeadline });
}

/** The longest until the old CA has left each of its namespaces, windows included: one after the other, each with its watch (safety 41). */
export function removalsMs(config: Config, authority: string): number {
  const { watch, connectionAge, connectionAgeGrace, proof } = config.timing;
  const stepMs = watch + connectionAge + connectionAgeGrace + proof.deadline;
  const count = config.authorities[authority]!.namespaces.length;
  return longestRowMs(windowRules(config, 'removals'), { count, stepMs });
}

/** So long an approval counts: the removal that it is for cannot come later, unless something keeps it from happening. */
export function approvalLastsMs(config: Config, authority: string): number {
  return config.authorities[authority]!.approval.validFor ?? removalsMs(config, authority) + dayMs;
}
