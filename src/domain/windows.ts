import { minuteOf, momentsOf, nextDay, wallClock, weekdayOf, type Weekday } from './wall-clock.js';

/**
 * Maintenance windows and freeze days, by the wall clock of a time zone: a moment is permitted when the clock on the wall shows a time
 * in one of the windows, on a date that is not frozen. Where the clocks change, a time that is skipped never comes, and one that is
 * shown twice comes twice. Decide in an activity: the zones' rules come with the runtime, and another one may have newer rules.
 */
export interface WindowRules {
  /** IANA name. */
  readonly timezone: string;
  /** None: any time of the day. */
  readonly windows: readonly MaintenanceWindow[];
  readonly freeze: readonly Freeze[];
}

export interface MaintenanceWindow {
  /** On which it begins. */
  readonly days: readonly Weekday[];
  /** `22:00`. */
  readonly from: string;
  /** Exclusive; not after `from`: on the next day. */
  readonly to: string;
}

/** Dates, `2026-12-24`, both included. */
export interface Freeze {
  readonly from: string;
  readonly to: string;
}

export interface Permission {
  readonly at: Date;
  /** `open`: now. `window`: when the next window opens. `expiry`: no window opens in time, so the step goes ahead without one. */
  readonly by: 'open' | 'window' | 'expiry';
  /** When the next window opens; absent where none does within a year. */
  readonly opens?: Date;
}

/** When a step may begin that must begin by `latest`, come what may: before an expiry the windows give way. */
export function permission(rules: WindowRules, { now, latest }: { now: Date; latest: Date }): Permission {
  const opens = nextPermitted(rules, now);
  if (opens?.getTime() === now.getTime()) return { at: now, by: 'open', opens };
  if (opens && opens <= latest) return { at: opens, by: 'window', opens };
  return { at: new Date(Math.max(now.getTime(), latest.getTime())), by: 'expiry', ...(opens && { opens }) };
}

export function isPermitted({ timezone, windows, freeze }: WindowRules, at: Date): boolean {
  const { date, minute } = wallClock(timezone, at);
  if (freeze.some(({ from, to }) => from <= date && date <= to)) return false;
  return windows.length === 0 || windows.some((window) => isInside(window, date, minute));
}

function isInside({ days, from, to }: MaintenanceWindow, date: string, minute: number): boolean {
  const [begin, end] = [minuteOf(from), minuteOf(to)];
  const beginsOn = (day: string) => days.includes(weekdayOf(day));
  if (begin < end) return beginsOn(date) && begin <= minute && minute < end;
  return (beginsOn(date) && minute >= begin) || (beginsOn(nextDay(date, -1)) && minute < end);
}

const horizonDays = 366;

/** `now`, if that is permitted; else the first moment after it that is; undefined when none comes within a year. */
export function nextPermitted(rules: WindowRules, now: Date): Date | undefined {
  if (isPermitted(rules, now)) return now;
  const { timezone, windows } = rules;
  // It becomes permitted when a window begins, when a frozen day ends, or when the clocks jump into a window.
  const times = ['00:00', ...windows.map(({ from }) => from)];
  const today = wallClock(timezone, now).date;
  for (let ahead = 0; ahead <= horizonDays; ahead += 1) {
    const date = nextDay(today, ahead);
    const moments = times.flatMap((time) => momentsOf(timezone, date, time));
    const permitted = moments.filter((moment) => moment >= now.getTime() && isPermitted(rules, new Date(moment)));
    if (permitted.length > 0) return new Date(Math.min(...permitted));
  }
  return undefined;
}
