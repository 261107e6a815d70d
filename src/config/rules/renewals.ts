import { atOnce } from '../../domain/intervention.js';
import { longestRowMs } from '../../domain/longest-wait.js';
import type { Config } from '../schema.js';
import { windowRules } from '../windows.js';
import { days, type BrokenRule } from './broken-rule.js';

/** A rotation that starts by itself ends before its CA does, windows and all, and its new CA is not due at once. */
export function renewalsFitCas(config: Config): BrokenRule[] {
  return Object.entries(config.authorities).flatMap(([name, { renewBefore, lifetime, approval }]) => {
    if (renewBefore === 'never') return [];
    const path = ['authorities', name, 'renewBefore'];
    if (renewBefore > lifetime / 2)
      return [{ path, message: 'more than half of the lifetime', fix: 'Make it shorter, or never' }];
    const { trustSoak, soak } = config.timing;
    const [restarts, removals] = [restartsMs(config, name), removalsMs(config, name)];
    const least = trustSoak + restarts + soak + approval.deadline + removals;
    if (renewBefore > least) return [];
    const parts = [
      `approval.deadline ${days(approval.deadline)}`,
      `restarts ${days(restarts)}`,
      `removals ${days(removals)}`,
      'timing.trustSoak',
      'timing.soak',
    ];
    const isWindowed =
      config.windows.freeze.length + config.windows.restarts.length + config.windows.removals.length > 0;
    const message = `not longer than ${days(least)}, which a rotation may take: ${parts.join(', ')}`;
    return [
      { path, message, fix: `Make it longer, or never${isWindowed ? '; or add windows and shorten the freeze' : ''}` },
    ];
  });
}

/** Until every target of the authority is restarted: canaries one by one, then the others, a few at once. */
function restartsMs(config: Config, authority: string): number {
  const { secretPropagation, rolloutDeadline } = config.timing;
  const restarted = Object.values(config.targets).filter(
    (target) => target.authority === authority && target.rollout !== 'none',
  );
  const canaries = restarted.filter(({ canary }) => canary).length;
  const count = canaries + Math.ceil((restarted.length - canaries) / atOnce);
  return longestRowMs(windowRules(config, 'restarts'), { count, stepMs: secretPropagation + rolloutDeadline });
}

/** Until its old CA has left each of its namespaces, one after the other, each with its watch (safety 41). */
function removalsMs(config: Config, authority: string): number {
  const { watch, connectionAge, connectionAgeGrace, proof } = config.timing;
  const stepMs = watch + connectionAge + connectionAgeGrace + proof.deadline;
  const count = config.authorities[authority]!.namespaces.length;
  return longestRowMs(windowRules(config, 'removals'), { count, stepMs });
}
