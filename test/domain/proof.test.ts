import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isProved, noStreak, observe, type Streak } from '../../src/domain/proof.js';

const need = { successes: 3, overMs: 1000 };
/** Observations: whether accepted, and when. */
const after = (...observations: readonly (readonly [boolean, number])[]): Streak =>
  observations.reduce((streak, [accepted, now]) => observe(streak, accepted, now), noStreak);

describe('safety 35: a streak of accepted probes', () => {
  it('proves with so many in a row that span the time', () => {
    assert.ok(isProved(after([true, 0], [true, 500], [true, 1000]), need, 1000));
  });

  it('does not prove when they are too few, or too close together', () => {
    assert.ok(!isProved(after([true, 0], [true, 5000]), need, 5000));
    assert.ok(!isProved(after([true, 0], [true, 1], [true, 2], [true, 999]), need, 999));
    assert.ok(!isProved(noStreak, { successes: 0, overMs: 0 }, 1));
  });

  it('starts anew, count and time, with one that was not accepted', () => {
    assert.deepEqual(after([true, 0], [true, 500], [false, 600], [true, 700]), { successes: 1, since: 700 });
  });
});
