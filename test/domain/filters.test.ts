import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { admits, sameFilters, widens, type CertificateFilter } from '../../src/domain/filters.js';

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

  describe('match as Temporal Cloud documents it, whatever they are', () => {
    const fields = ['commonName', 'organization', 'organizationalUnit', 'subjectAlternativeName'] as const;
    const text = fc.constantFrom('a', 'A', 'ab', 'aB', 'ba', 'b.', 'B.', '(', 'a\\', 'ß', 'a-b');
    const pattern = fc.oneof(
      text,
      text.map((value) => `${value}*`),
      text.map((value) => `*${value}`),
    );
    const filter: fc.Arbitrary<CertificateFilter> = fc
      .subarray([...fields], { minLength: 1, maxLength: 2 })
      .chain((given) => fc.record(Object.fromEntries(given.map((field) => [field, pattern]))));
    const values = fc.array(text, { maxLength: 3 });
    const anyLeaf = fc.record({
      commonNames: values,
      organizations: values,
      organizationalUnits: values,
      subjectAlternativeNames: values,
    });
    type AnyLeaf = Parameters<typeof admits>[1];
    const namesOf = (of: AnyLeaf, field: (typeof fields)[number]) => of[`${field}s`];
    /** The same by another way: a regular expression for each pattern. */
    const expression = (given: string) =>
      new RegExp(
        `^${given
          .split('*')
          .map((part) => part.replace(/[\\.()-]/g, '\\$&'))
          .join('.*')}$`,
        'i',
      );
    const matches = (given: CertificateFilter, of: AnyLeaf) =>
      fields.every((field) => !given[field] || namesOf(of, field).some((name) => expression(given[field]!).test(name)));

    it('all fields of one filter, any of several filters', () => {
      let admitted = 0;
      fc.assert(
        fc.property(fc.array(filter, { minLength: 1, maxLength: 3 }), anyLeaf, (filters, of) => {
          const expected = filters.some((given) => matches(given, of));
          admitted += Number(expected);
          assert.equal(admits(filters, of), expected);
        }),
        { numRuns: 2000 },
      );
      assert.ok(admitted > 50, `only ${admitted} were admitted`);
    });

    it('a leaf matches a filter of its own names, in any case, cut short by a * at either end', () => {
      const cut = fc.constantFrom<(name: string) => string>(
        (name) => name,
        (name) => name.toUpperCase().replace('SS', 'ß'),
        (name) => `${name}*`,
        (name) => `*${name}`,
        (name) => `${name.slice(0, 1)}*`,
        (name) => `*${name.slice(-1)}`,
      );
      fc.assert(
        fc.property(anyLeaf, cut, (of, shortened) => {
          const own = fields.flatMap((field) => {
            const [first] = namesOf(of, field);
            return first === undefined ? [] : [[field, shortened(first)] as const];
          });
          fc.pre(own.length > 0);
          assert.ok(admits([Object.fromEntries(own)], of), JSON.stringify(own));
        }),
      );
    });

    it('one filter more admits nobody less; one field more admits nobody more', () => {
      fc.assert(
        fc.property(fc.array(filter, { minLength: 1, maxLength: 2 }), filter, anyLeaf, (filters, other, of) => {
          if (admits(filters, of)) assert.ok(admits([...filters, other], of));
          if (admits([{ ...other, ...filters[0] }], of)) assert.ok(admits([filters[0]!], of));
        }),
      );
    });
  });

  describe('safety 11: widening is told from narrowing', () => {
    const [a, b] = [{ commonName: 'a' }, { commonName: 'b' }];
    const changes: [string, CertificateFilter[], CertificateFilter[], boolean][] = [
      ['none to some narrows: it refuses clients that nobody listed', [], [a], false],
      ['some to none widens', [a], [], true],
      ['one more widens', [a], [a, b], true],
      ['one fewer narrows', [a, b], [a], false],
      ['one replaced narrows', [a], [b], false],
      ['another field in a filter narrows', [a], [{ ...a, organization: 'o' }], false],
      ['one without a wildcard instead of one with it narrows', [{ commonName: 'a*' }], [a], false],
      ['the same in another order and case widens', [a, b], [{ commonName: 'B' }, a], true],
      ['none to none widens', [], [], true],
    ];
    for (const [promise, before, after, widened] of changes)
      it(promise, () => assert.equal(widens(before, after), widened));

    const value = fc.constantFrom('a', 'A', 'ab', 'b', 'a*', '*b');
    const filter = fc
      .record({ commonName: value, organization: value, organizationalUnit: value }, { requiredKeys: [] })
      .filter((fields) => Object.keys(fields).length > 0);
    const filters = fc.array(filter, { maxLength: 3 });
    const names = fc.array(fc.constantFrom('a', 'ab', 'b', 'bb'), { maxLength: 2 });
    const anyLeaf = fc.record({
      commonNames: names,
      organizations: names,
      organizationalUnits: names,
      subjectAlternativeNames: names,
    });

    it('whoever was admitted before a widening is admitted after it', () => {
      fc.assert(
        fc.property(filters, filters, fc.boolean(), anyLeaf, (before, other, kept, anybody) => {
          const after = kept ? [...other, ...before] : other;
          fc.pre(widens(before, after) && admits(before, anybody));
          assert.ok(admits(after, anybody));
        }),
        { numRuns: 1000 },
      );
    });

    it('what adds filters to a list that has some is known for a widening', () => {
      fc.assert(
        fc.property(filters, filters, (before, other) => {
          fc.pre(before.length > 0);
          assert.ok(widens(before, [...other, ...before]));
        }),
      );
    });

    it('two lists are the same when each admits what the other lists, order, case and repetition apart', () => {
      const [x, y] = [{ commonName: 'x' }, { commonName: 'y' }];
      assert.equal(sameFilters([x, y], [{ commonName: 'Y' }, x]), true);
      assert.equal(sameFilters([x, x], [x, y]), false);
      assert.equal(sameFilters([x, y], [x, x]), false);
      fc.assert(
        fc.property(filters, filters, (before, after) => {
          fc.pre(before.length > 0 && after.length > 0);
          assert.equal(sameFilters(before, after), widens(before, after) && widens(after, before));
        }),
      );
    });
  });
});
