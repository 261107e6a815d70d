import { longestWaitMs } from '../../domain/longest-wait.js';
import { renewalsMs } from '../rotation-time.js';
import type { Config } from '../schema.js';
import { windowRules } from '../windows.js';
import { days, type BrokenRule } from './broken-rule.js';
import { timeToRenew } from './lifetimes.js';

/** A leaf whose restart waits for a window, and for the restarts before it, is renewed in time all the same. */
export function windowsFitLeaves(config: Config): BrokenRule[] {
  if (longestWaitMs(windowRules(config, 'restarts')) === 0) return [];
  const restarts = renewalsMs(config);
  const least = restarts + timeToRenew(config);
  return Object.entries(config.targets).flatMap(([name, { rollout, renew, lifetime }]) => {
    const [key, left] = renew === 'always' ? ['lifetime', lifetime] : ['renew', renew.before];
    if (rollout === 'none' || left >= least) return [];
    const message = `shorter than ${days(least)}: the schedule may need ${days(restarts)} for all restarts, one after the other in windows.restarts, and a renewal ${days(least - restarts)}`;
    return [{ path: ['targets', name, key], message, fix: 'Make it longer, or add windows and shorten the freeze' }];
  });
}
