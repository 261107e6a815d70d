import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError, commandFailure, runCommand, type Command } from '../src/command.js';
import { aCa } from './support/certificates.js';

describe('runCommand', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cert-rotation-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** A script as a program of its own, run by this very Node.js. */
  async function script(name: string, source: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, `#!${process.execPath}\n${source}`);
    await chmod(path, 0o755);
    return path;
  }
  const node = (source: string, options: Partial<Command> = {}) =>
    runCommand({ program: { path: process.execPath }, args: ['-e', source], deadlineMs: 20_000, ...options });

  const isGone = async (pid: number): Promise<boolean> => {
    for (const deadline = Date.now() + 5000; Date.now() < deadline; await wait(20)) {
      // A process that was ended and not yet collected by its parent is still listed, as a zombie.
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
      if (/^State:\s[XZ]/m.test(status)) return true;
    }
    return false;
  };
  /** Starts a child that would live for long, tells its id, and goes on. */
  const withDescendant = (then: string, options: Partial<Command> = {}) =>
    runCommand({
      program: { path: '/bin/sh' },
      args: ['-c', `sleep 600 & echo $! > descendant; ${then}`],
      cwd: folder,
      deadlineMs: 20_000,
      ...options,
    });
  const descendant = async () => Number(await readFile(join(folder, 'descendant'), 'utf8'));

  it('gives the output; arguments arrive as they are, because no shell sees them', async () => {
    const args = ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', 'a b', '$HOME', '; id', '*'];
    const { stdout } = await node('', { args });
    assert.deepEqual(JSON.parse(stdout), args.slice(2));
  });

  it('safety 25: the environment is an allow-list, without HOME and configuration of a person', async () => {
    const poison = { KUBECONFIG: '/x', TEMPORAL_API_KEY: 'x', AWS_PROFILE: 'x', NODE_OPTIONS: '--no-warnings' };
    Object.assign(process.env, poison);
    try {
      const { stdout } = await node('console.log(JSON.stringify(process.env))', { env: { OURS: 'yes' } });
      const env = JSON.parse(stdout) as Record<string, string>;
      assert.deepEqual([env['OURS'], env['HOME']], ['yes', '/dev/null']);
      assert.deepEqual(
        Object.keys(poison).filter((name) => name in env),
        [],
      );
    } finally {
      for (const name of Object.keys(poison)) delete process.env[name];
    }
  });

  it('a program that asks gets no answer, instead of waiting for one', async () => {
    const { stdout } = await node(`process.stdin.on('end', () => console.log('ended')).resume()`);
    assert.equal(stdout, 'ended\n');
  });

  it('a program that fails says with which code and in which words', async () => {
    const failing = node(`console.log('half'); console.error('it is broken'); process.exit(3)`);
    await assert.rejects(failing, { kind: 'exit', exitCode: 3, stdout: 'half\n', message: /code 3: it is broken/ });
  });

  it('a deadline ends it, and every descendant', async () => {
    await assert.rejects(withDescendant('wait', { deadlineMs: 1000 }), { kind: 'deadline' });
    assert.ok(await isGone(await descendant()));
  });

  it('an abort ends it, and every descendant', async () => {
    const controller = new AbortController();
    const path = join(folder, 'descendant');
    await rm(path, { force: true });
    const running = withDescendant('wait', { signal: controller.signal });
    running.catch(() => undefined);
    while (!(await readFile(path, 'utf8').catch(() => ''))) await wait(20);
    controller.abort();
    await assert.rejects(running, { name: 'AbortError' });
    assert.ok(await isGone(await descendant()));
  });

  it('a descendant that outlives it is ended, and its end is not waited for', async () => {
    await withDescendant('exit 0');
    assert.ok(await isGone(await descendant()));
  });

  it('secrets and private keys are in no text of the error', async () => {
    const key = (await aCa()).key.reveal();
    const env = { API_KEY: 'se.cret', KEY: key };
    const leaking = node(
      `console.log(process.env.KEY); console.error(process.env.API_KEY, JSON.stringify(process.env.KEY)); process.exit(1)`,
      { env, secrets: ['se.cret'] },
    );
    await assert.rejects(leaking, (error: CommandError) => {
      const texts = [error.message, error.stdout, error.stderr, String(error.stack)].join('\n');
      assert.doesNotMatch(texts, /se\.cret/);
      assert.ok(!texts.includes(key.split('\n')[1]!), 'the key is printed');
      assert.match(error.stderr, /\[redacted\] "?\[private key\]/);
      return true;
    });
  });

  it('endless output is ended', () =>
    assert.rejects(node(`const more = () => process.stdout.write('x'.repeat(65536), more); more()`), {
      kind: 'output',
    }));

  it('a path that is relative, missing or not executable is named, and PATH is not searched', async () => {
    const text = join(folder, 'text');
    await writeFile(text, 'no program');
    for (const path of ['sh', './sh', join(folder, 'nothing'), text]) {
      await assert.rejects(runCommand({ program: { path }, args: [], deadlineMs: 5000 }), { kind: 'missing' });
    }
  });

  it('safety 26: a file of another SHA-256 is not run, even when it took the place of the right one', async () => {
    const [path, ran] = [await script('tool', 'console.log("first")'), join(folder, 'ran')];
    const sha256 = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    const run = () => runCommand({ program: { path, sha256 }, args: [], deadlineMs: 20_000 });
    assert.equal((await run()).stdout, 'first\n');
    await script('tool', `require('node:fs').writeFileSync(${JSON.stringify(ran)}, '')`);
    await assert.rejects(run(), { kind: 'mismatch' });
    await assert.rejects(readFile(ran), { code: 'ENOENT' });
  });

  it('each kind of error has its named failure', async () => {
    const failed = await node('process.exit(1)').catch((error: unknown) => commandFailure('Trying', error));
    assert.ok(failed instanceof Error);
    assert.deepEqual([failed.name, failed.message], ['ToolFailed', 'Trying: node failed with exit code 1']);
    const types = (['missing', 'mismatch', 'deadline'] as const).map(
      (kind) => commandFailure('Trying', new CommandError(kind, 'because')).type,
    );
    assert.deepEqual(types, ['ToolMissing', 'ToolUnsuitable', 'ToolTimedOut']);
  });
});
