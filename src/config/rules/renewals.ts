import { movesMs, removalsMs } from '../rotation-time.js';
import type { Config } from '../schema.js';
import { days, type BrokenRule } from './broken-rule.js';

/** A rotation that starts by itself ends before its CA does, windows and all, and its new CA is not due at once. */
export function renewalsFitCas(config: Config): BrokenRule[] {
  return Object.entries(config.authorities).flatMap(([name, { renewBefore, lifetime, approval }]) => {
    if (renewBefore === 'never') return [];
    const path = ['authorities', name, 'renewBefore'];
    if (renewBefore > lifetime / 2)
      return [{ path, message: 'more than half of the lifetime', fix: 'Make it shorter, or never' }];
    const { trustSoak, soak } = config.timing;
    const [moves, removals] = [movesMs(config, name), removalsMs(config, name)];
    const least = trustSoak + moves + soak + approval.deadline + removals;
    if (renewBefore > least) return [];
    const parts = [
      `approval.deadline ${days(approval.deadline)}`,
      `restarts ${days(moves)}`,
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
