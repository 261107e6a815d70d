import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { sweepTemporaryFolders, temporaryRoot, withTemporaryFolder } from '../src/temporary-folder.js';

describe('withTemporaryFolder', () => {
  const before_ = process.env['TMPDIR'];
  let parent: string;
  const children = new Set<ChildProcess>();
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
  });
  beforeEach(async () => {
    process.env['TMPDIR'] = await mkdtemp(join(parent, 'tmp-'));
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
    if (before_ === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before_;
  });
  after(() => rm(parent, { recursive: true, force: true }));

  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  const left = () => readdir(temporaryRoot());

  it('safety 7: folder and root are for their owner only', async () => {
    await withTemporaryFolder(async (folder) => {
      assert.ok(folder.startsWith(`${temporaryRoot()}/`));
      assert.deepEqual([await modeOf(folder), await modeOf(temporaryRoot())], ['700', '700']);
    });
  });

  it('safety 7: the folder is gone when the work is done, and when it fails', async () => {
    await withTemporaryFolder((folder) => writeFile(join(folder, 'key'), 'k', { mode: 0o400 }));
    const failing = withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'key'), 'k');
      throw new Error('no');
    });
    await assert.rejects(failing, /no/);
    assert.deepEqual(await left(), []);
  });

  /** A process that writes a key into its folder and waits; `then` is what it does instead of waiting. */
  async function holder(then = 'await new Promise(() => setInterval(() => undefined, 1000))') {
    const module = new URL('../src/temporary-folder.ts', import.meta.url).href;
    const source = `
      import { writeFile } from 'node:fs/promises';
      import { withTemporaryFolder } from '${module}';
      await withTemporaryFolder(async (folder) => {
        await writeFile(folder + '/key', 'k');
        console.log(folder);
        ${then};
      });`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const exited = once(child, 'exit');
    const kill = () => (child.kill('SIGKILL'), exited);
    return { folder: line.trim(), exited, kill };
  }

  it('safety 7: a process that exits in the middle takes its folder with it', async () => {
    const { exited } = await holder('process.exit(3)');
    await exited;
    assert.deepEqual(await left(), []);
  });

  it('safety 7: a killed process leaves its folder to the next start; that of a living one stays', async () => {
    const [killed, living] = [await holder(), await holder()];
    await killed.kill();
    assert.equal(await readFile(join(killed.folder, 'key'), 'utf8'), 'k');
    assert.deepEqual(await sweepTemporaryFolders(), [killed.folder]);
    await assert.rejects(stat(killed.folder), { code: 'ENOENT' });
    assert.equal(await readFile(join(living.folder, 'key'), 'utf8'), 'k');
  });

  it('safety 7: what an earlier process with our id left is swept, as in a container that starts again; ours is not', async () => {
    await withTemporaryFolder(async (folder) => {
      const earlier = join(temporaryRoot(), `${process.pid}-0123456789abcdef`);
      await mkdir(earlier);
      assert.deepEqual(await sweepTemporaryFolders(), [earlier]);
      assert.ok((await stat(folder)).isDirectory());
    });
  });

  it('safety 7: what is older than any program may run is swept, even when its id lives again', async () => {
    const old = join(temporaryRoot(), `${process.ppid}-0123456789abcdef`);
    await mkdir(old, { recursive: true, mode: 0o700 });
    assert.deepEqual(await sweepTemporaryFolders(), []);
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(old, longAgo, longAgo);
    assert.deepEqual(await sweepTemporaryFolders(), [old]);
  });

  it('safety 7: no key is written below a root that others may read, or that is a file or a link', async () => {
    const refused = () =>
      assert.rejects(
        withTemporaryFolder(async () => undefined),
        { type: 'TemporaryRootUnsafe' },
      );
    await mkdir(temporaryRoot());
    await chmod(temporaryRoot(), 0o755);
    await refused();
    await rm(temporaryRoot(), { recursive: true });
    await writeFile(temporaryRoot(), '');
    await refused();
    await rm(temporaryRoot());
    await symlink(await mkdtemp(join(parent, 'elsewhere-')), temporaryRoot());
    await refused();
  });
});
