import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { whyLeftToMove } from '../../src/domain/renewal.js';
import { plan } from '../support/fake-activities.js';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const now = new Date('2026-11-24T04:00:00.000Z');

/** Two canaries, and five others of which four move at a time: four moves, half an hour each at most. */
const move = { plan: plan('orders', { canaries: ['a', 'b'], others: ['c', 'd', 'e', 'f', 'g'] }) };
const oneMove = 10 * minute + 2 * 10 * minute;
const room = { windowMs: 0, intervalMs: day, alertMs: day };

/** With so much left of the leaf in place. */
const why = (leftMs: number, more: object = {}) =>
  whyLeftToMove('c', move, { ...room, notAfter: new Date(now.getTime() + leftMs).toISOString(), ...more }, now);

describe('a leaf renewal is left to a CA rotation', () => {
  it('that moves targets now, and says until when it is done at the latest', () => {
    assert.equal(why(29 * day), 'ca/orders moves it: done by 2026-11-24T06:00:00.000Z at the latest');
    assert.equal(whyLeftToMove('c', undefined, { ...room, notAfter: '2027-01-01T00:00:00.000Z' }, now), undefined);
  });

  it('only when the next run, or somebody who is alarmed by then, still renews the leaf in time', () => {
    const least = 4 * oneMove + day + day + oneMove;
    assert.ok(why(least));
    assert.equal(why(least - 1), undefined);
    assert.equal(why(-hour), undefined);
  });

  it('with the time that restarts may wait for a window: for each turn one, and for the renewal itself', () => {
    const least = 4 * oneMove + day + day + oneMove;
    const windowMs = 3 * day;
    assert.ok(why(least + 5 * windowMs, { windowMs }));
    assert.equal(why(least + 5 * windowMs - 1, { windowMs }), undefined);
  });

  it('only of a target that it moves: one that the configuration has had only since is renewed', () => {
    const notAfter = '2027-11-24T04:00:00.000Z';
    assert.ok(whyLeftToMove('g', move, { ...room, notAfter }, now));
    assert.equal(whyLeftToMove('added', move, { ...room, notAfter }, now), undefined);
  });
});
