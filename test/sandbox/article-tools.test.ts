import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { versionOfGoProgram } from '../../src/go-program.js';
import { linkArticleTools } from '../../src/sandbox/tools/article.js';
import { versions } from '../../src/sandbox/tools/index.js';

const run = promisify(execFile);

describe('the folder that `sandbox up --with-tools` puts on the PATH', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    await linkArticleTools(join(folder, 'bin'), (line) => void process.stderr.write(`${line}\n`));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('holds the tools of the article and no other', async () =>
    assert.deepEqual((await readdir(join(folder, 'bin'))).sort(), ['certstrap', 'kubectl', 'tcld', 'temporal']));

  /** A kubectl that is built from its module does not tell its version. */
  const answers: [name: string, args: readonly string[], text: string][] = [
    ['temporal', ['--version'], `temporal version ${versions.temporal}`],
    ['kubectl', ['version', '--client'], 'Client Version:'],
    ['certstrap', ['--version'], `certstrap version ${versions.certstrap}`],
  ];
  for (const [name, args, text] of answers)
    it(`answers to the name ${name} with the real program`, async () => {
      const { stdout } = await run(name, args, { env: { PATH: join(folder, 'bin'), HOME: folder } });
      assert.ok(stdout.includes(text), stdout);
    });

  it('answers to the name tcld with the real program', async () => {
    const env = { PATH: join(folder, 'bin'), HOME: folder };
    assert.match((await run('tcld', ['--help'], { env })).stdout, /accepted-client-ca|namespace, n/);
    const version = await versionOfGoProgram(join(folder, 'bin', 'tcld'), 'github.com/temporalio/tcld');
    assert.equal(version, `v${versions.tcld}`);
  });
});
