import { longestWaitMs } from '../../domain/longest-wait.js';
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
