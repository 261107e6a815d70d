import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPair, isScalar, isSeq, parse, parseDocument, stringify, visit } from 'yaml';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { ConfigurationError, parseConfig } from '../../src/config/load.js';

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the JSON Schema for editors', () => {
  it('examples/rotation.schema.json is what the programs read: npm run schema', async () => {
    assert.deepEqual(JSON.parse(await file('examples/rotation.schema.json')), configJsonSchema());
  });

  it('every example names it, and is valid', async () => {
    const example = await file('examples/temporal-booking/rotation.yaml');
    assert.match(example, /^# yaml-language-server: \$schema=\.\.\/rotation\.schema\.json$/m);
    parseConfig(example, 'rotation.yaml', '/');
  });

  it('a duration of the defaults is written as a person writes it', () => {
    assert.equal(configJsonSchema().properties?.['timing']?.properties?.['soak']?.default, '7m');
  });
});

/** Whatever the text, there is a configuration or a refusal: nothing else is ever thrown. */
function holds(text: string): void {
  try {
    parseConfig(text, 'rotation.yaml', '/');
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    assert.ok(error.issues.length > 0 && error.message !== '');
    const lines = text.split('\n').length;
    for (const { line, column, message, fix } of error.issues)
      assert.ok(line >= 1 && line <= lines && column >= 1 && message !== '' && fix !== '', error.message);
  }
}

describe('a configuration file is taken or refused, whatever is in it', async () => {
  const example = await file('examples/temporal-booking/rotation.yaml');
  const tree = parse(example) as Record<string, unknown>;

  it('any text', () => fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), holds), { numRuns: 500 }));

  it('any text made of what YAML is made of', () => {
    const tokens = fc.constantFrom(
      ...': - # & * ! | > { } [ ] , ? " \' % @ ` \n \t << ~ a b 1 ... ---'.split(' '),
      '\n',
      ' ',
      '  ',
    );
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 40 }), (parts) => holds(parts.join(''))),
      { numRuns: 1000 },
    );
  });

  it('any value in the place of any section', () => {
    const section = fc.constantFrom(...Object.keys(tree));
    fc.assert(
      fc.property(section, fc.jsonValue(), (name, value) => holds(stringify({ ...tree, [name]: value }))),
      { numRuns: 500 },
    );
  });

  it('a value that cannot be is named by its line and its key', () => {
    const document = parseDocument(example);
    const places: { path: string[]; line: number }[] = [];
    visit(document, {
      Pair(_, { key, value }, parents) {
        if (!isScalar(key) || !isScalar(value)) return;
        const keys = parents.flatMap((parent) =>
          isPair(parent) && isScalar(parent.key) ? [String(parent.key.value)] : [],
        );
        const inList = parents.some((parent) => isSeq(parent));
        const line = example.slice(0, key.range![0]).split('\n').length;
        if (!inList) places.push({ path: [...keys, String(key.value)], line });
      },
    });
    assert.ok(places.length > 20);
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.constantFrom<unknown>([], { a: 1 }, null, -1),
        ({ path, line }, value) => {
          const broken = parseDocument(example);
          broken.setIn(path, value);
          assert.throws(
            () => parseConfig(broken.toString({ lineWidth: 0 }), 'rotation.yaml', '/'),
            (error) => {
              assert.ok(error instanceof ConfigurationError);
              const named = error.issues.filter(({ key }) => `${key}.`.startsWith(`${path.join('.')}.`));
              assert.ok(named.length > 0, `${path.join('.')}: ${error.message}`);
              assert.deepEqual([...new Set(named.map((issue) => Math.min(issue.line, line)))], [line]);
              return true;
            },
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('the example with any line lost, twice, or cut off', () => {
    const lines = example.split('\n');
    for (const index of lines.keys()) {
      holds(lines.toSpliced(index, 1).join('\n'));
      holds(lines.toSpliced(index, 0, lines[index]!).join('\n'));
      holds([...lines.slice(0, index), lines[index]!.slice(0, lines[index]!.length / 2)].join('\n'));
    }
  });

  it('aliases that would fill the memory', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [before, name] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'].map((pair) => pair.split('')))
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`);
    assert.throws(() => parseConfig(bomb.join('\n'), 'rotation.yaml', '/'), ConfigurationError);
  });
});
