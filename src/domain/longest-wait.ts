import { dayMs, hourMs, minuteMs, minuteOf, weekdays } from './wall-clock.js';
import type { Freeze, MaintenanceWindow, WindowRules } from './windows.js';

/** Longest time from any moment to the next permitted one, or a little more; for windows of two hours and longer. */
export function longestWaitMs({ windows, freeze }: WindowRules): number {
  const gap = longestGapMs(windows);
  const frozen = merged(freeze, gap + dayMs).map(lengthMs);
  return frozen.length === 0 ? gap : 2 * gap + Math.max(...frozen);
}

/**
 * Longest time from any moment until the last of `count` steps is done, or a little more, where each begins in a window, and
 * once the one before it is done, `stepMs` after its own beginning.
 */
export function longestRowMs(rules: WindowRules, { count, stepMs }: { count: number; stepMs: number }): number {
  const { windows, freeze } = rules;
  if (count === 0) return 0;
  const gap = longestGapMs(windows);
  const waits = Math.min(count, 1 + Math.ceil((count - 1) / begunWithin(windows, stepMs)) + 2 * freeze.length);
  // Each freeze is waited out once, whichever step meets it, with the rest of a gap before it or after it.
  const eachFreezeOnce = (waits + freeze.length) * gap + freeze.map(lengthMs).reduce((sum, ms) => sum + ms, 0);
  return Math.min(waits * longestWaitMs(rules), eachFreezeOnce) + count * stepMs;
}

/** Steps that begin in a window that opened before the first of them, for sure. */
function begunWithin(windows: readonly MaintenanceWindow[], stepMs: number): number {
  // A change of the clocks may swallow an hour of it.
  const shortest = Math.min(...windows.map((window) => openMs(window) - hourMs));
  return Math.max(1, Math.floor(shortest / stepMs));
}

/** A change of the clocks may add an hour. */
const longestGapMs = (windows: readonly MaintenanceWindow[]): number =>
  windows.length === 0 ? 0 : longestWeeklyGapMs(windows) + hourMs;

/** With an hour that a change of the clocks may add. */
const lengthMs = ({ from, to }: Freeze): number => Date.parse(to) - Date.parse(from) + dayMs + hourMs;

function openMs({ from, to }: MaintenanceWindow): number {
  const length = (minuteOf(to) - minuteOf(from)) * minuteMs;
  return length > 0 ? length : length + dayMs;
}

function longestWeeklyGapMs(windows: readonly MaintenanceWindow[]): number {
  const week = 7 * dayMs;
  const spans = windows
    .flatMap((window) =>
      window.days.map((day) => {
        const begin = weekdays.indexOf(day) * dayMs + minuteOf(window.from) * minuteMs;
        return { begin, end: begin + openMs(window) };
      }),
    )
    .sort((a, b) => a.begin - b.begin);
  let open = Math.max(...spans.map(({ end }) => end)) - week;
  let longest = 0;
  for (const { begin, end } of spans) {
    longest = Math.max(longest, begin - open);
    open = Math.max(open, end);
  }
  return longest;
}

/** Freezes with too little between them for a window to open for sure are one. */
function merged(freeze: readonly Freeze[], withinMs: number): readonly Freeze[] {
  const all: { from: string; to: string }[] = [];
  for (const { from, to } of freeze.toSorted((a, b) => a.from.localeCompare(b.from))) {
    const last = all.at(-1);
    if (last && Date.parse(from) - Date.parse(last.to) - dayMs <= withinMs) last.to = to > last.to ? to : last.to;
    else all.push({ from, to });
  }
  return all;
}
