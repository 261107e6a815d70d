import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { expiring, expiryText, rotationsDue } from '../../src/domain/expiry.js';
import {
  aWatched,
  before,
  day,
  inBundle,
  ofAuthority,
  ofTarget,
  ofWorker,
  steps,
  theEnd,
} from '../support/sightings.js';

const hour = 3_600_000;

describe('the step that a certificate has reached', () => {
  const stepAt = (sighting: Parameters<typeof expiring>[0][number], left: number) => {
    const step = expiring([sighting], steps, before(left))[0]?.step;
    return step === undefined ? undefined : step / day;
  };

  const ca = inBundle(aWatched('ca'));
  const cases: readonly (readonly [string, number, number | undefined])[] = [
    ['61 days before the end: none', 61 * day, undefined],
    ['a millisecond before the first step: none', 60 * day + 1, undefined],
    ['60 days before', 60 * day, 60],
    ['between two steps, the one that was reached last', 29 * day, 30],
    ['7 days before', 7 * day, 7],
    ['an hour before', hour, 1],
    ['at the end: expired', 0, 0],
    ['long after the end: expired', -400 * day, 0],
  ];
  for (const [what, left, step] of cases) it(what, () => assert.equal(stepAt(ca, left), step));

  it('expired is a step, whatever the configuration says', () => {
    assert.deepEqual(
      expiring([ca], [], before(-1)).map(({ step }) => step),
      [0],
    );
    assert.deepEqual(expiring([ca], [], before(1)), []);
  });

  it('is none while a certificate is new: a step of which every new one would be told says nothing', () => {
    const monthly = inBundle(aWatched('monthly', { lifeMs: 30 * day + hour }));
    assert.equal(stepAt(monthly, 30 * day), undefined);
    assert.equal(stepAt(monthly, 14 * day), 14);
  });

  it('is none for a leaf that its schedule renews in time, and one once the schedule is late', () => {
    // Renewed daily, 30 days long: at least 29 are left unless a run was missed.
    const leaf = ofTarget(aWatched('leaf', { lifeMs: 30 * day, isCa: false }), 29 * day);
    for (let left = 30 * day; left > 14 * day; left -= day / 2) assert.equal(stepAt(leaf, left), undefined);
    assert.equal(stepAt(leaf, 14 * day), 14);
    // Renewed with 8 days left, at the latest with 7.
    const late = ofTarget(aWatched('leaf', { lifeMs: 30 * day, isCa: false }), 7 * day);
    assert.equal(stepAt(late, 7 * day), undefined);
    assert.equal(stepAt(late, 3 * day), 3);
    assert.equal(stepAt(late, 0), 0);
  });

  it('is always told once expired, however short the life', () => {
    assert.equal(stepAt(ofTarget(aWatched('leaf', { lifeMs: hour, isCa: false }), -day), 0), 0);
  });

  it('is the most urgent of all that were reached, and never one that was not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400 * day }), { maxLength: 8 }),
        fc.integer({ min: -day, max: 400 * day }),
        (at, left) => {
          const long = inBundle(aWatched('long', { lifeMs: 4000 * day }));
          const [found] = expiring([long], at, before(left));
          const reached = [...at, 0].filter((step) => left <= step);
          assert.equal(found?.step, reached.length > 0 ? Math.min(...reached) : undefined);
        },
      ),
    );
  });

  it('only becomes more urgent as time passes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -day, max: 70 * day }), fc.nat(70 * day), (left, later) => {
        const [now] = expiring([ca], steps, before(left));
        const [then] = expiring([ca], steps, before(left - later));
        assert.ok((then?.step ?? Infinity) <= (now?.step ?? Infinity));
      }),
    );
  });
});

describe('what people read of it', () => {
  it('one certificate in many places is told once, with all of them', () => {
    const ca = aWatched('ca');
    const sightings = [inBundle(ca, 'orders.acct1'), inBundle(ca, 'billing.acct1'), ofAuthority(ca)];
    const all = expiring(sightings, steps, before(13 * day));
    const { title, lines, certificates } = expiryText(all, before(13 * day));
    assert.equal(title, `CA ${ca.fingerprint.slice(0, 8)} (O=ca) expires in 13 days`);
    assert.equal(lines.length, 1);
    assert.deepEqual(certificates[0]?.places, [
      'trusted by orders.acct1',
      'trusted by billing.acct1',
      'signs for authority orders',
    ]);
  });

  it('the most urgent comes first and makes the title', () => {
    const [soon, later] = [aWatched('soon'), aWatched('later', { endMs: theEnd + 5 * day })];
    const all = expiring([inBundle(later), inBundle(soon)], steps, before(2 * day));
    const { title, certificates } = expiryText(all, before(2 * day));
    assert.equal(title, '2 certificates expire; the first expires in 2 days');
    assert.deepEqual(
      certificates.map(({ subject }) => subject),
      ['O=soon', 'O=later'],
    );
  });

  const tellOf = (sighting: Parameters<typeof expiring>[0][number], left: number) => {
    const { title, lines, commands } = expiryText(expiring([sighting], steps, before(left)), before(left));
    return { title, line: lines[0]!, commands };
  };
  const ca = aWatched('ca');

  it('a CA of somebody else: its owner has to act, and there is no command', () => {
    const { line, commands } = tellOf(inBundle(ca), 5 * day);
    assert.match(
      line,
      /trusted by orders\.acct1; it belongs to no authority of this system: its owner has to renew it/,
    );
    assert.deepEqual(commands, []);
  });

  it('a CA that rotates by itself later: when; sooner: that it is started', () => {
    const later = tellOf(ofAuthority(ca), 45 * day);
    assert.match(later.line, /its rotation starts by itself on 2027-05-02/);
    assert.deepEqual(later.commands, ['cert-rotation rotate ca orders']);
    const now = tellOf(ofAuthority(ca), 20 * day);
    assert.match(now.line, /its rotation is started now/);
    assert.deepEqual(now.commands, ['cert-rotation status orders']);
  });

  it('a CA that nothing rotates: the command that does', () => {
    const { line, commands } = tellOf(ofAuthority(ca, { renewBefore: 'never' }), 20 * day);
    assert.match(line, /nothing rotates it by itself/);
    assert.deepEqual(commands, ['cert-rotation rotate ca orders']);
  });

  it('the leaf of the rotation worker, where it is no target: what its end would mean, and that its owner has to act', () => {
    const { line, commands } = tellOf(ofWorker(aWatched('own', { isCa: false })), 3 * day);
    assert.match(line, /presented by the rotation worker, which Temporal refuses once it has expired; .*its owner has/);
    assert.deepEqual(commands, []);
  });

  it('the leaf of the rotation worker, where it is a target: it is that one’s', () => {
    const own = aWatched('own', { isCa: false });
    assert.deepEqual(expiring([ofWorker(own), ofTarget(own, 10 * day)], steps, before(12 * day)), []);
  });

  it('a leaf whose schedule is late: the command that renews it', () => {
    const { title, line, commands } = tellOf(ofTarget(aWatched('leaf', { isCa: false }), 29 * day), 3 * day);
    assert.match(title, /^Leaf /);
    assert.match(line, /used by target orders-worker; its schedule should have renewed it/);
    assert.deepEqual(commands, ['cert-rotation rotate leaf orders-worker']);
  });

  const spans: readonly (readonly [number, RegExp])[] = [
    [14 * day - 1, /expires in 13 days$/],
    [47 * hour, /expires in 47 hours$/],
    [hour, /expires in 1 hour$/],
    [1, /expires in less than an hour$/],
    [0, /expired less than an hour ago$/],
    [-3 * day, /expired 3 days ago$/],
  ];
  for (const [left, text] of spans)
    it(`never promises more time than is left: ${text.source}`, () =>
      assert.match(tellOf(inBundle(ca), left).title, text));
});

describe('the rotations that start by themselves', () => {
  const ca = aWatched('ca');

  it('start once the CA that signs has less left than renewBefore, and again until it is replaced', () => {
    assert.deepEqual(rotationsDue([ofAuthority(ca)], before(30 * day)), []);
    assert.deepEqual(rotationsDue([ofAuthority(ca)], before(30 * day - 1)), ['orders']);
    assert.deepEqual(rotationsDue([ofAuthority(ca)], before(-day)), ['orders']);
  });

  it('do not start where the configuration says never, nor for a CA of somebody else', () => {
    assert.deepEqual(rotationsDue([ofAuthority(ca, { renewBefore: 'never' }), inBundle(ca)], before(day)), []);
  });

  it('do not start again for an old CA whose successor signs already: people decide on its removal', () => {
    const successor = aWatched('successor', { endMs: theEnd + 300 * day });
    const sightings = [ofAuthority(ca, { signing: false }), ofAuthority(successor)];
    assert.deepEqual(rotationsDue(sightings, before(day)), []);
  });
});
