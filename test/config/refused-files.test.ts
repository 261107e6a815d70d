import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.js';
import { validateConfig } from '../../src/config/validate.js';
import { assertRefused, edited } from '../support/shop-config.js';

describe('a file that cannot be read as a configuration is refused with line, column, key, problem and fix', () => {
  const cases: [problem: string, text: string, refusals: string[]][] = [
    ['an empty file', '', ['1:1: the file is empty. Start from examples/temporal-booking/rotation.yaml.']],
    [
      'a file of comments',
      '# nothing\n',
      ['1:1: the file is empty. Start from examples/temporal-booking/rotation.yaml.'],
    ],
    [
      'a file that is a list',
      '- version: 1\n',
      ['1:1: must be a mapping of keys to values, not a list. Start from examples/temporal-booking/rotation.yaml.'],
    ],
    [
      'broken YAML',
      edited('{ organization: Shop }', '{ organization: Shop'),
      [
        '17:5: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }. Check indentation, quotes and brackets here and on the line above.',
      ],
    ],
    [
      'an alias without its anchor',
      edited('{ organization: Shop }', '*shop'),
      [
        '1:1: its aliases cannot be resolved (Unresolved alias (the anchor must be set before the alias): shop). Write the values out instead of aliases.',
      ],
    ],
  ];
  for (const [problem, text, refusals] of cases) it(problem, () => assertRefused(text, refusals));
});

describe('what the configuration refers to is checked by validate', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-config-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const problemsOf = async (text: string) => {
    const file = join(folder, 'rotation.yaml');
    await writeFile(file, text);
    const { issues } = await validateConfig(file, () => 'rotations');
    return issues.map(({ line, column, key, message }) => `${line}:${column} ${key}: ${message}`);
  };

  it('a file that is not there, and one that is a folder', async () => {
    await assert.rejects(loadConfig(join(folder, 'none.yaml')), {
      message: `${folder}/none.yaml: there is no such file. Name the file with --config or CERT_ROTATION_CONFIG.`,
    });
    await assert.rejects(loadConfig(folder), {
      message: `${folder}: is a folder, not a file. Name the file with --config or CERT_ROTATION_CONFIG.`,
    });
  });

  it('references to what is not there, each with its line', async () => {
    const text = edited('{ env: API_KEY }', '{ file: api-key }');
    assert.deepEqual(await problemsOf(text), [
      `6:3 cloud.apiKey: the file ${folder}/api-key cannot be read (ENOENT)`,
      '9:3 keystore.encryptionKey: the environment variable ENCRYPTION_KEY is missing or empty',
    ]);
  });

  it('an empty secret', async () => {
    await writeFile(join(folder, 'empty'), '\n');
    const text = edited('{ env: API_KEY }', '{ file: empty }').replace('{ env: ENCRYPTION_KEY }', '{ file: empty }');
    assert.deepEqual(await problemsOf(text), [
      `6:3 cloud.apiKey: the file ${folder}/empty is missing or empty`,
      `9:3 keystore.encryptionKey: the file ${folder}/empty is missing or empty`,
    ]);
  });

  it('files that hold no secret', async () => {
    await writeFile(join(folder, 'key'), 'x');
    await chmod(join(folder, 'key'), 0o600);
    const text = edited('{ env: API_KEY }', '{ file: key }\n  serverRootsFile: roots.pem').replace(
      '{ env: ENCRYPTION_KEY }',
      '{ file: key }',
    );
    assert.deepEqual(await problemsOf(text), [
      `7:3 cloud.serverRootsFile: the file ${folder}/roots.pem cannot be read (ENOENT)`,
    ]);
  });
});
