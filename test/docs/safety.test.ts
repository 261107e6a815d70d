import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { missingTests, rules, safetyPage, testsByRule } from '../../scripts/safety-table.js';

describe('docs/safety.md', () => {
  it('every safety rule has a test that is named after it, and every such test a rule', () => {
    const numbers = Array.from({ length: 45 }, (_, index) => index + 1);
    assert.deepEqual(Object.keys(rules).map(Number), numbers);
    assert.deepEqual(
      [...testsByRule().keys()].toSorted((a, b) => a - b),
      numbers,
    );
  });

  it('every test that it says would fail when an invariant is broken is there', () => {
    assert.deepEqual(missingTests(), []);
  });

  it('is what `npm run docs:safety` writes', async () => {
    assert.equal(await readFile(new URL('../../docs/safety.md', import.meta.url), 'utf8'), safetyPage());
  });
});
