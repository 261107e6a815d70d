import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { goneLine, planChanges } from '../../src/domain/plan-changes.js';

const parts = { namespaces: ['a.acct'], canaries: ['canary'], alone: ['alone'], others: ['other'] };

describe('safety 34: what a changed configuration means for a rotation under way', () => {
  const rows = [
    ['nothing, where it says the same', {}, [], []],
    ['a namespace more', { namespaces: ['a.acct', 'b.acct'] }, ['namespace b.acct'], []],
    ['a target more', { others: ['other', 'new'] }, ['target new'], []],
    ['a target less', { alone: [] }, [], ['target alone']],
    ['a target renamed', { others: ['renamed'] }, ['target renamed'], ['target other']],
    ['a target that moves at another time is the same one', { canaries: ['alone'], alone: ['canary'] }, [], []],
  ] as const;
  for (const [what, changed, added, gone] of rows)
    it(what, () => assert.deepEqual(planChanges(parts, { ...parts, ...changed }), { added, gone }));

  it('what disappeared is named, with what to do; where nothing did, nothing is said', () => {
    assert.equal(goneLine('booking', []), undefined);
    assert.match(goneLine('booking', ['target a', 'target b'])!, /target a, target b .* retry; .*--keep-both.*booking/);
  });
});
