import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ConfigurationError, parseConfig } from '../../src/config/load.js';
import { windowRules } from '../../src/config/windows.js';
import { runActivity } from '../support/activity-run.js';
import { aWorld } from '../support/fakes.js';

interface Given {
  readonly lifetime?: string;
  readonly rollout?: string;
  readonly renew?: object;
  readonly renewBefore?: string;
  readonly approval?: object;
  /** How many. */
  readonly namespaces?: number;
  readonly targets?: number;
}

function parse(
  windows: object,
  { lifetime = '30d', rollout = 'rolling', renew, renewBefore, approval, namespaces = 1, targets = 1 }: Given = {},
) {
  const named = (count: number, name: (index: number) => string) =>
    Array.from({ length: count }, (_, one) => name(one));
  const shops = named(namespaces, (one) => `shop-${one}.acct`);
  const worker = { authority: 'shop', namespace: 'shop', subject: { commonName: 'w' }, lifetime, rollout, renew };
  const workers = named(targets, (one) => (one === 0 ? 'worker' : `worker-${one}`));
  const config = {
    version: 1,
    temporal: {},
    cloud: { kind: 'ops-api', apiKey: { env: 'API_KEY' } },
    keystore: { kind: 'kubernetes', encryptionKey: { env: 'ENCRYPTION_KEY' } },
    namespaces: Object.fromEntries(shops.map((shop) => [shop, {}])),
    authorities: {
      shop: { subject: { organization: 'Shop' }, namespaces: shops, renewBefore, approval, sharedTrust: true },
    },
    targets: Object.fromEntries(workers.map((name) => [name, { ...worker, secret: name }])),
    windows,
  };
  return parseConfig(stringify(config, { aliasDuplicateObjects: false }), 'rotation.yaml', '/').config;
}

function problemsOf(...given: Parameters<typeof parse>): readonly string[] {
  try {
    parse(...given);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    return error.issues.map(({ key, message, fix }) => `${key}: ${message}. ${fix}`);
  }
}

const weekly = { days: ['sun'], from: '02:00', to: '06:00' };

describe('maintenance windows in the configuration', () => {
  it('nothing said permits everything', () =>
    assert.deepEqual(windowRules(parse({}), 'restarts'), { timezone: 'UTC', windows: [], freeze: [] }));

  it('restarts and removals have windows of their own; zone and freeze are for both', () => {
    const freeze = [{ from: '2026-12-24', to: '2026-12-26' }, { from: '2027-01-01' }];
    const restarts = [{ from: '22:00', to: '04:00' }];
    const windows = { timezone: 'Europe/Zurich', restarts, removals: [weekly], freeze };
    const config = parse(windows, { renewBefore: '60d' });
    const expected = [freeze[0], { from: '2027-01-01', to: '2027-01-01' }];
    assert.deepEqual(windowRules(config, 'removals'), {
      timezone: 'Europe/Zurich',
      windows: [weekly],
      freeze: expected,
    });
    assert.equal(windowRules(config, 'restarts').windows[0]!.days.length, 7);
  });

  const refused: Readonly<Record<string, [windows: object, problem: RegExp]>> = {
    'a window of less than two hours': [
      { restarts: [{ from: '02:00', to: '03:59' }] },
      /^windows\.restarts\.0: shorter than two hours, and a change of the clocks could swallow it\. Make it longer/,
    ],
    'a window of less than two hours over midnight': [
      { restarts: [{ from: '23:30', to: '01:00' }] },
      /shorter than two hours/,
    ],
    'no time': [
      { restarts: [{ from: '25:00', to: '02:00' }] },
      /restarts\.0\.from: not a time\. Write one such as 22:00/,
    ],
    'no day': [{ restarts: [{ ...weekly, days: ['sunday'] }] }, /restarts\.0\.days\.0: .*mon, tue/],
    'no date': [{ freeze: [{ from: '2026-02-30' }] }, /freeze\.0\.from: not a date\. Write one such as 2026-12-24/],
    'a freeze that ends before it begins': [
      { freeze: [{ from: '2026-12-26', to: '2026-12-24' }] },
      /freeze\.0: ends before it begins\. Exchange from and to/,
    ],
    'no zone': [{ timezone: 'Zurich' }, /windows\.timezone: not a time zone/],
  };
  for (const [what, [windows, problem]] of Object.entries(refused))
    it(`refused: ${what}`, () => assert.match(problemsOf(windows).join('\n'), problem));
});

describe('safety 4: windows and freezes that leave no time before an expiry are refused', () => {
  const month = [{ from: '2026-12-01', to: '2026-12-31' }];

  it('safety 4: a leaf that would expire before it may be restarted', () => {
    assert.deepEqual(problemsOf({ restarts: [weekly] }), []);
    assert.match(
      problemsOf({ restarts: [weekly] }, { lifetime: '10d' }).join(),
      /^targets\.worker\.lifetime: shorter than 10\.\d days: the schedule may need 6\.9 days for all restarts/,
    );
    assert.match(problemsOf({ freeze: month }).join(), /targets\.worker\.lifetime: shorter than 3\d/);
  });

  it('safety 4: one that is renewed when it is due, but too late for that', () =>
    assert.match(
      problemsOf({ restarts: [weekly] }, { renew: { before: '9d' } }).join(),
      /^targets\.worker\.renew: shorter than 10\.\d days/,
    ));

  it('safety 4: not one that is never restarted', () =>
    assert.deepEqual(problemsOf({ restarts: [weekly] }, { lifetime: '10d', rollout: 'none' }), []));

  it('safety 4: a CA rotation that would start by itself too late', () => {
    assert.match(
      problemsOf({ removals: [weekly] }, { renewBefore: '8d' }).join(),
      /^authorities\.shop\.renewBefore: not longer than 12 days, which a rotation may take: approval\.deadline 5 days, restarts 0\.1 days, removals 6\.9 days,.*add windows/,
    );
    assert.deepEqual(problemsOf({ removals: [weekly] }, { renewBefore: '13d' }), []);
  });

  it('safety 4: one whose old CA leaves more namespaces than a window has time for', () => {
    const removals = (namespaces: number) =>
      problemsOf({ removals: [weekly] }, { renewBefore: '13d', namespaces }).join();
    assert.match(removals(2), /renewBefore: not longer than 18\.8 days, .*removals 13\.8 days/);
    // Three hours for sure, and half an hour for each.
    assert.match(removals(7), /removals 13\.9 days/);
    assert.match(removals(9), /removals 20\.8 days/);
  });

  it('safety 4: one of more workloads than a window has time to restart', () => {
    const restarts = (targets: number) =>
      problemsOf({ restarts: [weekly] }, { renewBefore: '13d', lifetime: '60d', targets }).join();
    // One may be the rotation worker's own, which goes alone; the others go four at a time.
    assert.equal(restarts(1), '');
    assert.match(restarts(5), /renewBefore: not longer than 18\.8 days, .*restarts 13\.8 days/);
    assert.match(restarts(70), /restarts 20\.\d days/);
  });

  it('safety 4: one of more targets that move one after the other than there is time for, restarted or not', () => {
    const moves = (targets: number) => problemsOf({}, { rollout: 'none', renewBefore: '6d', targets }).join();
    assert.equal(moves(40), '');
    assert.match(moves(400), /renewBefore: not longer than 8\.\d days, .*restarts 3\.\d days/);
  });

  it('safety 4: leaves of more targets than the schedule can restart in its windows in time', () => {
    const leaves = (targets: number) => problemsOf({ restarts: [weekly] }, { lifetime: '18d', targets }).join();
    assert.equal(leaves(2), '');
    assert.match(
      leaves(40),
      /targets\.worker-39\.lifetime: shorter than \d+.\d days: the schedule may need \d+\.\d days for all restarts, one after the other/,
    );
  });
});

describe('an approval that counts for less time than the removals may take', () => {
  it('is refused: it would be asked for again and again', () => {
    const removals = (validFor: string) =>
      problemsOf({ removals: [weekly] }, { renewBefore: '30d', namespaces: 2, approval: { validFor } }).join();
    assert.match(
      removals('13d'),
      /^authorities\.shop\.approval\.validFor: shorter than 13\.8 days, which the removals may take with windows\.removals\. Make it longer/,
    );
    assert.equal(removals('14d'), '');
  });
});

describe('the activity nextWindow', () => {
  it('says when a step may begin, by what, and in words', async () => {
    const world = await aWorld();
    world.config.windows.restarts.push({ days: ['mon'], from: '02:00', to: '06:00' });
    world.frozenAt = Date.parse('2026-06-03T00:00:00Z');
    const next = (step: 'restarts' | 'removals', latest: string) =>
      runActivity(world, 'nextWindow', { step, latest }).result;
    assert.deepEqual(await next('removals', '2026-07-01T00:00:00Z'), {
      waitMs: 0,
      by: 'open',
      line: 'removals are permitted now',
    });
    assert.deepEqual(await next('restarts', '2026-07-01T00:00:00Z'), {
      waitMs: 5 * 86_400_000 + 2 * 3_600_000,
      by: 'window',
      line: 'waiting for windows.restarts: the next one opens at 2026-06-08T02:00:00.000Z',
    });
    const late = await next('restarts', '2026-06-05T00:00:00Z');
    assert.deepEqual([late.waitMs, late.by], [2 * 86_400_000, 'expiry']);
    assert.match(late.line, /^restarts go ahead at 2026-06-05.* outside of windows\.restarts, .*before an expiry$/);
  });
});
