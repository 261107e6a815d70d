import { z } from 'zod';
import { minuteOf, weekdays } from '../../domain/wall-clock.js';
import { duration, positiveDuration } from '../fields.js';

export const cron = z
  .string()
  .max(256)
  .regex(
    /^(\S+ +){4}\S+$|^@(hourly|daily|weekly|monthly|yearly)$/,
    'not a cron expression: write minute hour day month weekday, such as 0 4 * * *',
  )
  .refine((text) => !text.includes('#'), 'a comment: leave it out');

const timezone = z.string().refine(isTimezone, 'not a time zone: write UTC or one such as Europe/Zurich');

/** Offsets such as +01:00 are zones to JavaScript, but not to Temporal. */
function isTimezone(zone: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: zone });
    return /^[A-Za-z]/.test(zone);
  } catch {
    return false;
  }
}

export const schedule = z
  .strictObject({
    cron: cron.default('0 4 * * *').describe('When the leaf rotation runs.'),
    timezone: timezone.default('UTC'),
    jitter: duration
      .prefault('5m')
      .describe('Each run begins up to so much later, at random: not every installation at the same minute.'),
    interval: positiveDuration
      .prefault('1d')
      .describe('Longest time between two runs, without jitter; leaves must live at least 3 × this and more.'),
    alertTime: duration.prefault('1d').describe('From a missed renewal until somebody acts.'),
  })
  .prefault({});

const time = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'not a time: write one such as 22:00')
  .meta({ examples: ['22:00'] });

const date = z.iso.date('not a date: write one such as 2026-12-24').meta({ examples: ['2026-12-24'] });

const maintenanceWindow = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .default([...weekdays])
      .describe('On which it begins.'),
    from: time,
    to: time.describe('Not after from: on the next day.'),
  })
  .refine(
    ({ from, to }) => (minuteOf(to) - minuteOf(from) + 1440) % 1440 >= 120 || from === to,
    'shorter than two hours, and a change of the clocks could swallow it: make it longer',
  );

export const windows = z
  .strictObject({
    timezone: timezone.default('UTC'),
    restarts: z.array(maintenanceWindow).default([]).describe('When workloads may be restarted (default: always).'),
    removals: z.array(maintenanceWindow).default([]).describe('When an old CA may be removed (default: always).'),
    freeze: z
      .array(
        z
          .strictObject({ from: date, to: date.optional().describe('The last day (default: from).') })
          .refine(({ from, to = from }) => from <= to, 'ends before it begins: exchange from and to'),
      )
      .default([])
      .describe('Days on which neither happens.'),
  })
  .prefault({})
  .describe('Maintenance windows. Before a certificate expires they give way, and people are told.');
