import { atOnce } from '../domain/intervention.js';
import { longestRowMs } from '../domain/longest-wait.js';
import type { Config } from './schema.js';
import { windowRules } from './windows.js';

const dayMs = 86_400_000;

/**
 * The longest until every target of an authority has moved, windows included, in the order of a CA rotation: canaries one by one,
 * those that are never restarted, which wait for no window, one by one, then the others, a few at once.
 */
export function movesMs(config: Config, authority: string): number {
  const targets = Object.values(config.targets).filter((target) => target.authority === authority);
  const restarted = targets.filter(({ rollout }) => rollout !== 'none');
  const canaries = restarted.filter(({ canary }) => canary).length;
  // One of them may be the rotation worker's own, which goes alone.
  const alone = restarted.length > canaries ? 1 : 0;
  const count = canaries + alone + Math.ceil((restarted.length - canaries - alone) / atOnce);
  const stepMs = moveMs(config);
  return (
    longestRowMs(windowRules(config, 'restarts'), { count, stepMs }) + (targets.length - restarted.length) * stepMs
  );
}

/** The longest until the schedule has restarted every target there is, windows included: one after the other. */
export function renewalsMs(config: Config): number {
  const count = Object.values(config.targets).filter(({ rollout }) => rollout !== 'none').length;
  return longestRowMs(windowRules(config, 'restarts'), { count, stepMs: moveMs(config) });
}

const moveMs = ({ timing }: Config): number => timing.secretPropagation + timing.rolloutDeadline;

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
