import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sandboxEnvironment } from '../../src/sandbox/children.js';
import { eventually } from '../support/eventually.js';
import { running, watchDescendants } from '../support/processes.js';

/**
 * A process that starts a child with a child of its own, and holds two paths, one of which it takes back; then it does what
 * `last` says.
 */
const program = (last: string) => `
  import { writeFileSync } from 'node:fs';
  import { removeAtEnd, spawnChild } from ${JSON.stringify(new URL('../../src/sandbox/children.ts', import.meta.url).href)};
  for (const name of ['key', 'kept']) writeFileSync(name, 'x');
  removeAtEnd(process.cwd() + '/key');
  removeAtEnd(process.cwd() + '/kept')();
  spawnChild('/bin/sh', ['-c', '/bin/sleep 3600 & wait'], { env: {}, stdio: 'ignore' });
  writeFileSync('started', '');
  ${last}
`;

describe('what a process of the sandbox started ends with it, however it ends', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  async function leavesNothing(last: string, end: (parent: ChildProcess) => unknown): Promise<void> {
    const cwd = await mkdtemp(join(folder, 'case-'));
    await writeFile(join(cwd, 'program.ts'), program(last));
    const parent = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), 'program.ts'], {
      cwd,
      detached: true,
      stdio: 'ignore',
    });
    const exited = new Promise((resolve) => parent.once('exit', resolve));
    const watched = watchDescendants(parent.pid!);
    // The watchdog, the child, and its child.
    await eventually(async () => (await running(watched.seen)).length >= 3);
    end(parent);
    await exited;
    watched.stop();
    await eventually(async () => (await running(watched.seen)).length === 0);
    await eventually(async () => !(await readdir(cwd)).includes('key'));
    assert.ok((await readdir(cwd)).includes('kept'), 'what was taken back is removed');
  }
  const forEver = 'setInterval(() => undefined, 1000);';

  it('by SIGKILL', () => leavesNothing(forEver, (parent) => parent.kill('SIGKILL')));
  it('by a signal to its whole group, as of a terminal that closes', () =>
    leavesNothing(forEver, (parent) => process.kill(-parent.pid!, 'SIGHUP')));
  it('by an error that nobody caught', () =>
    leavesNothing("process.on('SIGUSR2', () => { throw new Error('a bug'); });" + forEver, (parent) =>
      parent.kill('SIGUSR2'),
    ));
  it('by process.exit', () =>
    leavesNothing("process.on('SIGUSR2', () => process.exit(0));" + forEver, (parent) => parent.kill('SIGUSR2')));
});

describe('safety 25: what a child of the sandbox inherits', () => {
  const poison = [
    'KUBECONFIG',
    'HOME',
    'XDG_CONFIG_HOME',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_API_KEY',
    'AWS_PROFILE',
    'https_proxy',
  ];

  it('is a list of names, and what it is given: nothing that leads to a real cluster or account', () => {
    const before = { ...process.env };
    try {
      for (const name of poison) process.env[name] = 'production';
      const environment = sandboxEnvironment({ TEMPORAL_ADDRESS: '127.0.0.1:7233' });
      assert.deepEqual(
        Object.keys(environment).filter((name) => !['PATH', 'LANG', 'TZ', 'TMPDIR'].includes(name)),
        ['TEMPORAL_ADDRESS'],
      );
      assert.equal(environment['TEMPORAL_ADDRESS'], '127.0.0.1:7233');
    } finally {
      for (const name of poison) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  it('and every program of the sandbox is started with it', async () => {
    const folder = new URL('../../src/sandbox/', import.meta.url);
    const sources = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
    for (const source of sources) {
      const text = await readFile(new URL(source, folder), 'utf8');
      // Build tools need the user's own proxies and caches; they run before there is a sandbox.
      if (/process\.env[,\s}]/.test(text)) assert.equal(source, join('tools', 'run.ts'));
    }
  });
});
