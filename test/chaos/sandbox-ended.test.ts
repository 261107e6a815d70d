import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { running, watchDescendants } from '../support/processes.js';
import { ended, runStarter, spawnStarter } from '../support/starter.js';

describe('sandbox up that is ended early leaves nothing', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  /** Starts one, lets `end` end it once so many processes run, and looks for what is left. */
  async function endsClean(processes: number, end: (up: ChildProcess, dir: string) => Promise<unknown>): Promise<void> {
    const dir = join(folder, `${processes}`);
    const up = spawnStarter(['sandbox', 'up', '--state', dir], process.env);
    const upEnded = ended(up);
    const watched = watchDescendants(up.pid!);
    try {
      await eventually(async () => watched.seen.length >= processes, 90_000);
      await end(up, dir);
      await upEnded;
    } finally {
      watched.stop();
      up.kill('SIGKILL');
    }
    await eventually(async () => (await running(watched.seen)).length === 0 || undefined, 10_000).catch(async () =>
      assert.deepEqual(await running(watched.seen), []),
    );
    await eventually(async () => (await readdir(dir)).length === 0, 10_000);
  }

  it('by sandbox down while it starts', () =>
    endsClean(3, async (_up, dir) => assert.equal((await runStarter(['sandbox', 'down', '--state', dir])).code, 0)));

  it('by SIGKILL while it starts', () => endsClean(4, async (up) => up.kill('SIGKILL')));

  it('by SIGKILL while its workers run; the next one starts in the same folder', async () => {
    await endsClean(9, async (up) => up.kill('SIGKILL'));
    const dir = join(folder, '9');
    await writeFile(join(dir, 'sandbox.pid'), '4194305\n');
    await endsClean(2, async (up) => up.kill('SIGTERM'));
  });
});
