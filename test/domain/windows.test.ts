import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { weekdays } from '../../src/domain/wall-clock.js';
import { longestRowMs, longestWaitMs } from '../../src/domain/longest-wait.js';
import { isPermitted, nextPermitted, permission, type WindowRules } from '../../src/domain/windows.js';

const always: WindowRules = { timezone: 'UTC', windows: [], freeze: [] };
const rules = (change: Partial<WindowRules>): WindowRules => ({ ...always, ...change });
const at = (text: string) => new Date(text);
const zurich = 'Europe/Zurich';
const every = [...weekdays];
const nights = [{ days: every, from: '22:00', to: '04:00' }];

describe('the next permitted moment', () => {
  const sundays = (from: string, to: string) => [{ days: ['sun'] as const, from, to }];
  const christmas = [{ from: '2026-12-24', to: '2026-12-26' }];
  const cases: [promise: string, rules: WindowRules, now: string, next: string | undefined][] = [
    ['without windows it is now', always, '2026-06-01T12:00:07Z', '2026-06-01T12:00:07Z'],
    ['in a window it is now', rules({ windows: nights }), '2026-06-01T23:10:00Z', '2026-06-01T23:10:00Z'],
    ['a window may end on the next day', rules({ windows: nights }), '2026-06-02T03:59:59Z', '2026-06-02T03:59:59Z'],
    ['its end is outside', rules({ windows: nights }), '2026-06-02T04:00:00Z', '2026-06-02T22:00:00Z'],
    [
      'it is by the wall clock, in summer',
      rules({ timezone: zurich, windows: nights }),
      '2026-06-01T12:00:00Z',
      '2026-06-01T20:00:00Z',
    ],
    ['and in winter', rules({ timezone: zurich, windows: nights }), '2026-12-01T12:00:00Z', '2026-12-01T21:00:00Z'],
    [
      'the day is that of the zone',
      rules({ timezone: 'Pacific/Auckland', windows: sundays('01:00', '05:00') }),
      '2026-06-06T12:00:00Z',
      '2026-06-06T13:00:00Z',
    ],
    [
      'the day is the one on which the window begins',
      rules({ windows: sundays('22:00', '04:00') }),
      '2026-06-08T03:00:00Z',
      '2026-06-08T03:00:00Z',
    ],
    [
      'not the one on which it ends',
      rules({ windows: sundays('22:00', '04:00') }),
      '2026-06-07T03:00:00Z',
      '2026-06-07T22:00:00Z',
    ],
    [
      'nor is the end of one within a day inside',
      rules({ windows: sundays('08:00', '12:00') }),
      '2026-06-07T12:00:00Z',
      '2026-06-14T08:00:00Z',
    ],
    [
      'from to the same time is a whole day',
      rules({ windows: sundays('06:00', '06:00') }),
      '2026-06-08T05:59:00Z',
      '2026-06-08T05:59:00Z',
    ],
    [
      'the earliest of several windows',
      rules({ windows: [...sundays('08:00', '12:00'), ...nights] }),
      '2026-06-07T05:00:00Z',
      '2026-06-07T08:00:00Z',
    ],
    [
      'frozen days are over at midnight of the zone',
      rules({ timezone: zurich, freeze: christmas }),
      '2026-12-24T12:00:00Z',
      '2026-12-26T23:00:00Z',
    ],
    [
      'after them the window still has to open',
      rules({ windows: sundays('08:00', '12:00'), freeze: christmas }),
      '2026-12-24T12:00:00Z',
      '2026-12-27T08:00:00Z',
    ],
    [
      'the rest of a window that began on a frozen day',
      rules({ windows: nights, freeze: christmas }),
      '2026-12-26T23:00:00Z',
      '2026-12-27T00:00:00Z',
    ],
    [
      'none within a year',
      rules({ freeze: [{ from: '2026-01-01', to: '2028-01-01' }] }),
      '2026-06-01T00:00:00Z',
      undefined,
    ],
    [
      'a window that begins while the clocks jump over it opens at the jump',
      rules({ timezone: zurich, windows: sundays('02:30', '06:00') }),
      '2026-03-29T00:00:00Z',
      '2026-03-29T01:00:00Z',
    ],
    [
      'what they jump over altogether does not come',
      rules({ timezone: zurich, windows: sundays('02:00', '02:45') }),
      '2026-03-29T00:00:00Z',
      '2026-04-05T00:00:00Z',
    ],
    [
      'a time that comes twice opens at the first',
      rules({ timezone: zurich, windows: sundays('02:30', '06:00') }),
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:30:00Z',
    ],
    [
      'and is closed in between, as the wall clock says',
      rules({ timezone: zurich, windows: sundays('02:30', '06:00') }),
      '2026-10-25T01:10:00Z',
      '2026-10-25T01:30:00Z',
    ],
    [
      'a change of the clocks does not hide a window of the day before',
      rules({
        timezone: 'Australia/Lord_Howe',
        windows: [{ days: ['sat'], from: '01:45', to: '01:45' }, ...sundays('15:00', '00:00')],
      }),
      '2026-03-30T15:00:00Z',
      '2026-04-03T14:45:00Z',
    ],
  ];
  for (const [promise, given, now, next] of cases)
    it(promise, () => assert.deepEqual(nextPermitted(given, at(now)), next === undefined ? undefined : at(next)));
});

describe('a step that must begin before an expiry', () => {
  const given = rules({ windows: nights });
  const now = at('2026-06-01T12:00:00Z');
  const opens = at('2026-06-01T22:00:00Z');

  it('begins now in a window', () =>
    assert.deepEqual(permission(given, { now: opens, latest: at('2027-01-01T00:00:00Z') }), {
      at: opens,
      by: 'open',
      opens,
    }));

  it('waits for a window that opens in time, be it at the last moment', () =>
    assert.deepEqual(permission(given, { now, latest: opens }), { at: opens, by: 'window', opens }));

  it('goes ahead without one at the last moment, and says when one would have opened', () => {
    const latest = new Date(opens.getTime() - 1);
    assert.deepEqual(permission(given, { now, latest }), { at: latest, by: 'expiry', opens });
  });

  it('goes ahead at once where the last moment has passed', () =>
    assert.deepEqual(permission(given, { now, latest: at('2026-05-01T00:00:00Z') }), { at: now, by: 'expiry', opens }));

  it('goes ahead at the last moment where no window ever opens', () => {
    const frozen = rules({ freeze: [{ from: '2026-01-01', to: '2029-01-01' }] });
    const latest = at('2026-07-01T00:00:00Z');
    assert.deepEqual(permission(frozen, { now, latest }), { at: latest, by: 'expiry' });
  });
});

describe('windows whatever they are', () => {
  const minutes = 15;
  const stepMs = minutes * 60_000;
  const time = fc
    .integer({ min: 0, max: 24 * (60 / minutes) - 1 })
    .map(
      (count) =>
        `${String(Math.floor((count * minutes) / 60)).padStart(2, '0')}:${String((count * minutes) % 60).padStart(2, '0')}`,
    );
  const days = fc.subarray(every, { minLength: 1 });
  const anyWindow = fc.record({ days, from: time, to: time });
  /** Clocks change by an hour, by half an hour, on other days, and never. */
  const timezone = fc.constantFrom(zurich, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC');
  const date = fc
    .integer({ min: 0, max: 20 })
    .map((day) => new Date(Date.parse('2026-03-20') + day * 86_400_000).toISOString().slice(0, 10));
  const freeze = fc.array(
    fc.tuple(date, date).map(([a, b]) => (a < b ? { from: a, to: b } : { from: b, to: a })),
    { maxLength: 2 },
  );
  const anyRules = fc.record({ timezone, windows: fc.array(anyWindow, { maxLength: 3 }), freeze });
  /** Within some days of the changes of the clocks in spring, which in the south is autumn. */
  const moment = fc
    .integer({ min: 0, max: (20 * 86_400_000) / stepMs })
    .map((count) => new Date(Date.parse('2026-03-22') + count * stepMs));

  it('the next permitted moment is permitted, and none before it is', () => {
    fc.assert(
      fc.property(anyRules, moment, (given, now) => {
        const next = nextPermitted(given, now)!;
        assert.ok(next >= now && isPermitted(given, next));
        const until = Math.min(next.getTime(), now.getTime() + 4 * 86_400_000);
        for (let time = now.getTime(); time < until; time += stepMs)
          assert.ok(!isPermitted(given, new Date(time)), new Date(time).toISOString());
      }),
      { numRuns: 60 },
    );
  });

  const longWindow = anyWindow.filter(({ from, to }) => {
    const length = (Date.parse(`2026-01-01T${to}Z`) - Date.parse(`2026-01-01T${from}Z`) + 86_400_000) % 86_400_000;
    return length === 0 || length >= 2 * 3_600_000;
  });
  const rulesOfLongWindows = fc.record({ timezone, windows: fc.array(longWindow, { maxLength: 3 }), freeze });

  it('nobody waits longer than the longest wait says, in windows of two hours and more', () => {
    fc.assert(
      fc.property(rulesOfLongWindows, moment, (given, now) => {
        const waits = nextPermitted(given, now)!.getTime() - now.getTime();
        assert.ok(waits <= longestWaitMs(given), `${waits} ms`);
      }),
      { numRuns: 300 },
    );
  });

  it('a row of steps takes no longer than the longest row says', () => {
    const row = fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      stepMs: fc.integer({ min: 60_000, max: 5 * 3_600_000 }),
    });
    fc.assert(
      fc.property(rulesOfLongWindows, moment, row, (given, now, { count, stepMs: step }) => {
        let done = now.getTime();
        for (let one = 0; one < count; one += 1) done = nextPermitted(given, new Date(done))!.getTime() + step;
        const took = done - now.getTime();
        assert.ok(took <= longestRowMs(given, { count, stepMs: step }), `${took} ms`);
      }),
      { numRuns: 300 },
    );
  });

  it('the longest row is no more than its steps without windows, and one wait more where a window holds them all', () => {
    const sundays = rules({ windows: [{ days: ['sun'], from: '02:00', to: '06:00' }] });
    const hours = (given: WindowRules, count: number) => longestRowMs(given, { count, stepMs: 3_600_000 }) / 3_600_000;
    assert.deepEqual([hours(always, 5), hours(always, 0), hours(sundays, 0)], [5, 0, 0]);
    const wait = longestWaitMs(sundays) / 3_600_000;
    // The first window may be about to end; each one after it holds three.
    assert.deepEqual(
      [1, 2, 4, 5].map((count) => hours(sundays, count) - count),
      [wait, 2 * wait, 2 * wait, 3 * wait],
    );
  });

  it('the longest wait is none without windows and freezes, and not much more than a plain gap', () => {
    assert.equal(longestWaitMs(always), 0);
    const hours = longestWaitMs(rules({ windows: nights })) / 3_600_000;
    assert.ok(hours >= 18 && hours <= 19, `${hours}`);
  });

  it('the longest wait covers a freeze that swallows a window: the gap before it, the freeze, and the gap after it', () => {
    const given = rules({
      windows: [{ days: ['sun'], from: '02:00', to: '06:00' }],
      freeze: [{ from: '2026-06-07', to: '2026-06-09' }],
    });
    const now = at('2026-05-31T06:00:00Z');
    assert.deepEqual(nextPermitted(given, now), at('2026-06-14T02:00:00Z'));
    assert.ok(longestWaitMs(given) >= nextPermitted(given, now)!.getTime() - now.getTime());
  });

  it('a step never begins after both its last moment and now, and outside of a window only for an expiry', () => {
    fc.assert(
      fc.property(anyRules, moment, moment, (given, now, latest) => {
        const { at: begins, by } = permission(given, { now, latest });
        assert.ok(begins >= now && begins.getTime() <= Math.max(now.getTime(), latest.getTime()));
        if (by !== 'expiry') assert.ok(isPermitted(given, begins));
      }),
      { numRuns: 300 },
    );
  });
});
