import { longestWaitMs } from '../../domain/windows.js';
import type { Config } from '../schema.js';
import { windowRules } from '../windows.js';
import { days, type BrokenRule } from './broken-rule.js';
import { timeToRenew } from './lifetimes.js';

/** A leaf whose restart waits for a window is renewed in time all the same. */
export function windowsFitLeaves(config: Config): BrokenRule[] {
  const wait = longestWaitMs(windowRules(config, 'restarts'));
  const least = wait + timeToRenew(config);
  if (wait === 0) return [];
  return Object.entries(config.targets).flatMap(([name, { rollout, renew, lifetime }]) => {
    const [key, left] = renew === 'always' ? ['lifetime', lifetime] : ['renew', renew.before];
    if (rollout === 'none' || left >= least) return [];
    const message = `shorter than ${days(least)}: a restart may have to wait ${days(wait)} for one of windows.restarts, and a renewal needs ${days(least - wait)}`;
    return [{ path: ['targets', name, key], message, fix: 'Make it longer, or add windows and shorten the freeze' }];
  });
}

/** A rotation that starts by itself gets through its windows before its CA expires. */
export function windowsFitCas(config: Config): BrokenRule[] {
  const wait = longestWaitMs(windowRules(config, 'restarts')) + longestWaitMs(windowRules(config, 'removals'));
  if (wait === 0) return [];
  const { soak, watch } = config.timing;
  return Object.entries(config.authorities).flatMap(([name, { renewBefore, approval }]) => {
    const least = wait + approval.deadline + soak + watch;
    if (renewBefore === 'never' || renewBefore > least) return [];
    const path = ['authorities', name, 'renewBefore'];
    const message = `not longer than ${days(least)}: it may wait ${days(wait)} for windows.restarts and windows.removals, then approval.deadline + timing.soak + timing.watch`;
    return [{ path, message, fix: 'Make it longer, or add windows and shorten the freeze' }];
  });
}
