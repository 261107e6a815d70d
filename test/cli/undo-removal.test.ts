import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { runStarter } from '../support/starter.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));

describe('`cert-rotation undo-removal`', () => {
  let dir: string;
  let environment: Record<string, string>;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    const file = join(dir, 'rotation.yaml');
    const config = parse(await readFile(example, 'utf8')) as object;
    const nowhere = { address: '127.0.0.1:1', namespace: 'default' };
    await writeFile(file, stringify({ ...config, temporal: nowhere }));
    environment = { PATH: process.env['PATH']!, HOME: dir, CERT_ROTATION_CONFIG: file };
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('safety 15: says how it is done without Temporal, where that cannot be reached', async () => {
    const args = ['temporal-booking', '--who=ada', '--why=the nightly job is refused'];
    const { code, stderr } = await runStarter(['undo-removal', ...args], environment);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /cannot be reached at 127\.0\.0\.1:1/);
    assert.match(stderr, /break-glass save temporal-booking --kept .* break-glass restore --from/);
    const abort = await runStarter(['abort', ...args], environment);
    assert.equal(abort.code, 4, abort.stderr);
    assert.doesNotMatch(abort.stderr, /break-glass/);
  });
});
