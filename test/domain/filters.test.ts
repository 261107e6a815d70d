import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admits, widens, type CertificateFilter } from '../../src/domain/filters.js';

const leaf = {
  commonNames: ['Worker-1'],
  organizations: ['Acme'],
  organizationalUnits: [],
  subjectAlternativeNames: ['spiffe://acme/worker'],
};

describe('filters', () => {
  const cases: [string, CertificateFilter[], boolean][] = [
    ['no filters admit everybody', [], true],
    ['case does not matter', [{ commonName: 'worker-1' }], true],
    ['a * at the end stands for any text', [{ commonName: 'Worker*' }], true],
    ['a * at the end stands for no text, too', [{ commonName: 'Worker-1*' }], true],
    ['a * at the beginning stands for any text', [{ subjectAlternativeName: '*/worker' }], true],
    ['without a * the whole value must match', [{ commonName: 'Worker' }], false],
    ['all fields of a filter must match', [{ commonName: 'Worker-1', organization: 'Other' }], false],
    ['any filter suffices', [{ organization: 'Other' }, { organization: 'Acme' }], true],
    ['a field that the leaf does not have never matches', [{ organizationalUnit: '*x' }], false],
  ];
  for (const [promise, filters, admitted] of cases) it(promise, () => assert.equal(admits(filters, leaf), admitted));

  it('safety 11: none → some is a narrowing, some → none a widening, a longer list a widening', () => {
    const one = [{ commonName: 'a' }];
    assert.equal(widens([], one), false);
    assert.equal(widens(one, []), true);
    assert.equal(widens(one, [...one, { commonName: 'b' }]), true);
    assert.equal(widens([...one, { commonName: 'b' }], one), false);
  });
});
