import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { running, watchDescendants } from '../support/processes.js';
import { ended, type Environment } from '../support/starter.js';

const built = (path: string) => fileURLToPath(new URL(`../../dist/sandbox/${path}`, import.meta.url));
const demo = [built('demo/main.js')];
const bench = [built('bench/main.js'), '--quick', '--only=rotations'];

describe('the demo, or the benchmark, that is interrupted leaves no process, no folder and no key', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  interface Interruption {
    /** Interrupted once this is printed, and so many processes run. */
    readonly at: RegExp;
    readonly processes: number;
    readonly times?: number;
    readonly environment?: Environment;
    /** Default: the demo. */
    readonly program?: readonly string[];
  }

  /** Runs it as a terminal does, in a process group of its own, which Ctrl-C reaches as a whole. */
  async function interrupted(name: string, interruption: Interruption): Promise<void> {
    const { at, processes, times = 1, environment, program = demo } = interruption;
    const temporary = join(folder, name);
    await mkdir(temporary);
    const env = { ...process.env, TMPDIR: temporary, ...environment };
    const child = spawn(process.execPath, program, { detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = ended(child);
    const watched = watchDescendants(child.pid!);
    let printed = '';
    child.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    try {
      await Promise.race([
        eventually(async () => at.test(printed) && watched.seen.length >= processes, 240_000),
        end.then(({ stdout, stderr }) => assert.fail(`it ended by itself: ${stdout}${stderr}`)),
      ]);
      for (let count = 0; count < times; count += 1) process.kill(-child.pid!, 'SIGINT');
      assert.equal((await end).code, 130);
    } finally {
      watched.stop();
      child.kill('SIGKILL');
    }
    const left = () => running(watched.seen);
    await eventually(async () => (await left()).length === 0, 10_000).catch(async () =>
      assert.deepEqual(await left(), []),
    );
    assert.deepEqual(await readdir(temporary), []);
  }

  it('while it prepares its tools', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    // An installer that takes for ever, with a process of its own.
    await writeFile(join(bin, 'python3'), '#!/bin/sh\n/bin/sleep 3600\n');
    await chmod(join(bin, 'python3'), 0o755);
    const cache = join(folder, 'cache');
    const environment = { PATH: bin, CERT_ROTATION_CACHE: cache };
    await interrupted('tools', { at: /fetching (temporal|etcd)/, processes: 3, environment });
    const left = (await readdir(cache)).filter((name) => !/^temporal-[\d.]+$/.test(name));
    assert.deepEqual(left, []);
  });

  it('while the control plane starts', () => interrupted('start', { at: /starting Temporal/, processes: 4 }));

  it('twice, during a leaf rotation', () =>
    interrupted('leaf', { at: /Leaf rotation(.|\n)*preflight/, processes: 9, times: 2 }));

  it('during a CA rotation', () => interrupted('ca', { at: /CA rotation(.|\n)*issue/, processes: 9 }));

  it('while the benchmark runs a command', () =>
    interrupted('bench', { program: bench, at: /Leaf, here …/, processes: 10 }));
});
