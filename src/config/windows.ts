import type { WindowRules } from '../domain/windows.js';
import type { Config } from './schema.js';

/** What has windows: restarts of workloads, and removals of an old CA. */
export type WindowedStep = 'restarts' | 'removals';

export function windowRules({ windows }: Pick<Config, 'windows'>, step: WindowedStep): WindowRules {
  return {
    timezone: windows.timezone,
    windows: windows[step],
    freeze: windows.freeze.map(({ from, to = from }) => ({ from, to })),
  };
}
