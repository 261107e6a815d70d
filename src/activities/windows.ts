import { windowRules, type WindowedStep } from '../config/windows.js';
import { permission } from '../domain/windows.js';
import type { Dependencies } from './dependencies.js';

export interface WindowRequest {
  readonly step: WindowedStep;
  /** The step must begin by then, come what may (RFC 3339): an expiry, less the time that is needed before it. */
  readonly latest: string;
}

export interface WindowAnswer {
  /** Until the step may begin; 0: now. Not a time of the day: the clock here is not that of the workflow. */
  readonly waitMs: number;
  /** `expiry`: without a window, which people must be told. */
  readonly by: 'open' | 'window' | 'expiry';
  /** For a person. */
  readonly line: string;
}

/** Does anything keep this step from beginning at any time? */
export function isWindowed(deps: Dependencies, step: WindowedStep): boolean {
  const { windows, freeze } = windowRules(deps.config, step);
  return windows.length > 0 || freeze.length > 0;
}

export function windowActivities(deps: Dependencies) {
  /** Here and not in the workflow: what a time zone's clocks show is the runtime's knowledge, and changes with it. */
  async function nextWindow({ step, latest }: WindowRequest): Promise<WindowAnswer> {
    const rules = windowRules(deps.config, step);
    const now = deps.now();
    const { at, by, opens } = permission(rules, { now, latest: new Date(latest) });
    const next = opens ? `the next one opens at ${opens.toISOString()}` : 'none opens within a year';
    const lines = {
      open: `${step} are permitted now`,
      window: `waiting for windows.${step}: ${next}`,
      expiry: `${step} go ahead at ${at.toISOString()} outside of windows.${step}, because ${next}: too late before an expiry`,
    };
    return { waitMs: at.getTime() - now.getTime(), by, line: lines[by] };
  }

  return { nextWindow };
}
