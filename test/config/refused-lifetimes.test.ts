import { describe, it } from 'node:test';
import { assertRefused, edited, valid } from '../support/shop-config.js';

describe('a duration or a time that is none is refused with line, column, key, problem and fix', () => {
  const cases: [problem: string, text: string, refusals: string[]][] = [
    [
      'a duration without a unit',
      edited('soak: 7m', "soak: '420'"),
      ['29:3: timing.soak: not a duration. Write one such as 90s, 15m, 24h or 365d.'],
    ],
    [
      'a duration in words',
      edited('deadline: 5d', 'deadline: five days'),
      ['19:31: authorities.shop.approval.deadline: not a duration. Write one such as 90s, 15m, 24h or 365d.'],
    ],
    [
      'a duration of nothing',
      edited('deadline: 5d', 'deadline: 0s'),
      ['19:31: authorities.shop.approval.deadline: no time at all. Write a duration of at least 1ms.'],
    ],
    [
      'reminders that come all the time',
      edited('deadline: 5d', 'remindEvery: 10s'),
      ['19:31: authorities.shop.approval.remindEvery: people would be told all the time. Make it at least 1m.'],
    ],
    [
      'a duration of ages',
      edited('lifetime: 365d', 'lifetime: 99999d'),
      ['17:5: authorities.shop.lifetime: longer than 100 years. Write a shorter duration.'],
    ],
    [
      'a schedule that is not one',
      `${valid}schedule: { cron: '@every 1h' }\n`,
      ['30:13: schedule.cron: not a cron expression. Write minute hour day month weekday, such as 0 4 * * *.'],
    ],
    [
      'a time zone that is none',
      `${valid}schedule: { timezone: Mars/Base }\n`,
      ['30:13: schedule.timezone: not a time zone. Write UTC or one such as Europe/Zurich.'],
    ],
  ];
  for (const [problem, text, refusals] of cases) it(problem, () => assertRefused(text, refusals));
});

describe('safety 4: lifetimes leave time to renew', () => {
  const cases: [string, string, string][] = [
    [
      'a leaf that outlives its CA',
      edited('lifetime: 30d', 'lifetime: 400d'),
      '26:5: targets.worker.lifetime: the leaf would outlive its CA. Make it shorter than authorities.shop.lifetime, 365 days.',
    ],
    [
      'a leaf shorter than three intervals, a rollout and the time to be alarmed',
      edited('lifetime: 30d', 'lifetime: 4d'),
      '26:5: targets.worker.lifetime: shorter than 4.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it longer (7d goes well with a daily schedule), or schedule.interval shorter.',
    ],
    [
      'a leaf renewed only when it is too late for three intervals',
      edited('rollout: rolling', 'renew: { before: 2d }'),
      '27:14: targets.worker.renew.before: shorter than 4.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it at least 4.1 days, or write renew: always.',
    ],
    [
      'runs that begin too late for a leaf',
      edited('lifetime: 30d', 'lifetime: 5d').replace('timing:', 'schedule: { jitter: 12h, interval: 36h }\ntiming:'),
      '26:5: targets.worker.lifetime: shorter than 6.1 days: 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime. Make it longer (7d goes well with a daily schedule), or schedule.interval shorter.',
    ],
    [
      'runs that come at random',
      edited('timing:', 'schedule: { jitter: 13h }\ntiming:'),
      '28:13: schedule.jitter: more than half of schedule.interval: runs would come at random. Make it at most 0.5 days.',
    ],
    [
      'a leaf that would always be due',
      edited('rollout: rolling', 'renew: { before: 30d }'),
      '27:14: targets.worker.renew.before: not shorter than the lifetime of the leaf, 30 days: it would always be due. Make it shorter, or write renew: always.',
    ],
    [
      'a CA that ends before its longest leaf, the longest approval and the watch are over',
      edited('lifetime: 365d', 'lifetime: 35d\n    renewBefore: never'),
      '17:5: authorities.shop.lifetime: not longer than 35.1 days: its longest leaf + approval.deadline + timing.watch. Make it longer, or the lifetime of its leaves or approval.deadline shorter.',
    ],
    [
      'a CA whose successor would soon be due as well',
      edited('lifetime: 365d', 'lifetime: 365d\n    renewBefore: 200d'),
      '18:5: authorities.shop.renewBefore: more than half of the lifetime. Make it shorter, or never.',
    ],
    [
      'a CA whose renewal would begin too late',
      edited('lifetime: 365d', 'lifetime: 365d\n    renewBefore: 4d'),
      '18:5: authorities.shop.renewBefore: not longer than 5.1 days, which a rotation may take: approval.deadline 5 days, restarts 0.1 days, removals 0.1 days, timing.trustSoak, timing.soak. Make it longer, or never.',
    ],
  ];
  for (const [problem, text, refusal] of cases) it(problem, () => assertRefused(text, [refusal]));
});
