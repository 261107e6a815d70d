/** Times and dates as the clocks on the walls of a time zone show them, and the moments at which they do. */
export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export interface WallClock {
  /** `2026-12-24`. */
  readonly date: string;
  /** Since midnight, as the clock counts. */
  readonly minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  formats.set(timezone, format);
  return format;
}

export function wallClock(timezone: string, at: Date): WallClock {
  const parts = new Map(
    formatOf(timezone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`,
    minute: minuteOf(`${parts.get('hour')}:${parts.get('minute')}`),
  };
}

/**
 * The moments of a date at which the wall clock shows that time, and that at which the clocks change on it (milliseconds since
 * the epoch); a time that is skipped has only the latter.
 */
export function momentsOf(timezone: string, date: string, time: string): readonly number[] {
  const asUtc = Date.parse(`${date}T${time}:00Z`);
  const [early, late] = [asUtc - dayMs, asUtc + dayMs];
  const [before, after] = [offsetAt(timezone, early), offsetAt(timezone, late)];
  if (before === after) return [asUtc - before];
  const near = [asUtc - before, asUtc - after, changeBetween(timezone, early, late)];
  return near.filter((moment) => wallClock(timezone, new Date(moment)).date === date);
}

/** The first minute that has the offset of the second moment, not of the first. */
function changeBetween(timezone: string, early: number, late: number): number {
  const offset = offsetAt(timezone, late);
  let [low, high] = [Math.floor(early / minuteMs), Math.floor(late / minuteMs)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timezone, middle * minuteMs) === offset) high = middle;
    else low = middle;
  }
  return high * minuteMs;
}

/** By how much the wall clock is ahead of UTC (milliseconds). */
function offsetAt(timezone: string, at: number): number {
  const { date, minute } = wallClock(timezone, new Date(at));
  return Date.parse(date) + minute * minuteMs - Math.floor(at / minuteMs) * minuteMs;
}

/** Of a time, `22:30`, since midnight. */
export function minuteOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number) as [number, number];
  return hours * 60 + minutes;
}

export function nextDay(date: string, days = 1): string {
  return new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, 10);
}

/** 1970-01-05 was a Monday. */
export function weekdayOf(date: string): Weekday {
  const day = Math.floor((Date.parse(date) - Date.parse('1970-01-05')) / dayMs) % 7;
  return weekdays[(day + 7) % 7]!;
}
