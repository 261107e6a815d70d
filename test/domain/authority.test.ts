import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  abandonedCas,
  finishRotation,
  isCompromised,
  markRetiring,
  mayIssueFrom,
  newAuthority,
  signBack,
  signWith,
  unmarkRetiring,
  withCompromised,
  withFirst,
  withNext,
  withoutNext,
} from '../../src/domain/authority.js';

describe('authority record', () => {
  const standing = withFirst(newAuthority, 'old');
  const overlap = withNext(standing, 'new', 'run-1');
  const moved = signWith(overlap, 'new');
  const removing = markRetiring(moved, 'old');

  it('safety 12: the pointer moves only to next, and then every leaf comes from it', () => {
    assert.equal(overlap.signing, 'old');
    assert.equal(moved.signing, 'new');
    assert.throws(() => signWith(overlap, 'foreign'), { type: 'ForeignNextAuthority' });
  });

  it('safety 12: no leaf of a retiring CA is issued or delivered', () => {
    assert.equal(mayIssueFrom(moved, 'old'), true);
    assert.equal(mayIssueFrom(removing, 'old'), false);
    assert.equal(mayIssueFrom(unmarkRetiring(removing), 'old'), true);
  });

  it('safety 12: a next that signs already is never replaced', () => {
    assert.throws(() => withNext(moved, 'another', 'run-2'), { type: 'ForeignNextAuthority' });
    assert.equal(withNext(moved, 'new', 'run-2').rotation, 'run-2');
  });

  it('safety 12: a next of no use is forgotten, unless it signs; its number stays taken', () => {
    assert.deepEqual(withoutNext(overlap), { ...standing, generation: 2 });
    assert.equal(withoutNext(standing), standing);
    assert.throws(() => withoutNext(moved), { type: 'ForeignNextAuthority' });
  });

  it('safety 29: a write of a rotation whose CA the record no longer names is refused', () => {
    const later = withNext(withoutNext(overlap), 'newer', 'run-2');
    for (const write of [signWith, finishRotation])
      assert.throws(() => write(later, 'new'), { type: 'ForeignNextAuthority' });
  });

  it('safety 44: a run that goes on after the end of its rotation is told that it is over', () => {
    const ended = finishRotation(removing, 'new');
    const writes = [
      () => withNext(ended, 'new', 'run-1'),
      () => signWith(ended, 'new'),
      () => markRetiring(ended, 'old'),
    ];
    for (const write of writes) assert.throws(write, { type: 'RotationOver' });
    assert.equal(finishRotation(ended, 'new'), ended);
  });

  it('the CA that signs cannot retire', () => {
    assert.throws(() => markRetiring(overlap, 'old'), { type: 'ForeignNextAuthority' });
  });

  describe('safety 43: nothing goes back to a compromised CA', () => {
    it('it does not sign again, and does not become next', () => {
      const leaked = withCompromised(moved, ['old']);
      assert.throws(() => signBack(leaked, 'new'), { type: 'CaCompromised' });
      assert.equal(mayIssueFrom(leaked, 'old'), false);
      const { next: _none, ...without } = withCompromised(overlap, ['new']);
      assert.throws(() => withNext(without, 'new', 'run-2'), { type: 'CaCompromised' });
    });

    it('one that was next is so no longer, whoever signed', () => {
      for (const record of [overlap, moved, removing]) {
        const { next, signing, retiring } = withCompromised(record, ['new']);
        assert.deepEqual({ next, signing, retiring }, { next: undefined, signing: 'old', retiring: undefined });
      }
      assert.equal(withCompromised(moved, ['old', 'new']).signing, 'new', 'nobody could renew a leaf');
    });

    it('it stays on record for good, and is marked once', () => {
      const leaked = withCompromised(removing, ['old']);
      assert.equal(withCompromised(leaked, ['old']), leaked);
      const done = finishRotation(leaked, 'new');
      assert.equal(isCompromised(done, 'old'), true);
      assert.equal(isCompromised(done, 'new'), false);
    });
  });

  describe('safety 39: an abort goes back', () => {
    const back = signBack(moved, 'new');
    const leaving = markRetiring(back, 'new');

    it('the old CA signs again, then nothing of the new one is issued or delivered, then it is forgotten', () => {
      assert.equal(back.signing, 'old');
      assert.deepEqual([mayIssueFrom(leaving, 'new'), mayIssueFrom(leaving, 'old')], [false, true]);
      assert.deepEqual(withoutNext(leaving), { ...standing, generation: 2 });
    });

    it('the new CA cannot go while it signs', () => {
      assert.throws(() => markRetiring(moved, 'new'), { type: 'ForeignNextAuthority' });
      assert.throws(() => signBack(moved, 'foreign'), { type: 'ForeignNextAuthority' });
    });

    it('one that came to no end is gone on with by the next rotation', () => {
      const resumed = withNext(leaving, 'new', 'run-2');
      assert.deepEqual([resumed.retiring, resumed.rotation, mayIssueFrom(resumed, 'new')], [undefined, 'run-2', true]);
      assert.equal(withNext(removing, 'new', 'run-2').retiring, 'old');
    });

    it('run twice it has the same outcome', () => {
      assert.equal(signBack(back, 'new'), back);
      assert.equal(markRetiring(leaving, 'new'), leaving);
    });
  });

  it('every transition run twice has the same outcome', () => {
    assert.equal(withNext(overlap, 'new', 'run-1'), overlap);
    assert.equal(signWith(moved, 'new'), moved);
    assert.equal(markRetiring(removing, 'old'), removing);
    const finished = finishRotation(removing, 'new');
    assert.equal(finishRotation(finished, 'new'), finished);
    assert.deepEqual(finished, { generation: 2, current: 'new', signing: 'new' });
  });

  it('names the CAs that no role of the record knows', () => {
    assert.deepEqual(
      abandonedCas(overlap, ['old', 'new', 'lost'], (ca) => ca),
      ['lost'],
    );
  });
});
