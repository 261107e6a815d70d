import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/main.js';
import { runStarter } from '../support/starter.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const example = `${root}examples/temporal-booking/rotation.yaml`;
const secrets = { ...process.env, TEMPORAL_CLOUD_API_KEY: 'key', CERT_ROTATION_KEY: 'key' };

interface Helped {
  /** `rotate ca`; empty for the program itself. */
  readonly name: string;
  readonly help: string;
}

/** Every command there is with its help. */
function helps(command: Command, ...path: string[]): readonly Helped[] {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return [
    { name: path.join(' '), help },
    ...command.commands.flatMap((nested) => helps(nested, ...path, nested.name())),
  ];
}

describe('the command line', async () => {
  const all = helps(await createProgram());

  it('is what the documentation names', () => {
    const documented = [
      'rotate ca',
      'rotate leaf',
      'approve',
      'reject',
      'status',
      'validate',
      'sandbox up',
      'sandbox down',
    ];
    const verbs = ['apply', 'show', 'trigger', 'pause', 'resume', 'delete'];
    const names = all.map(({ name }) => name);
    for (const name of [...documented, ...verbs.map((verb) => `schedule ${verb}`)])
      assert.ok(names.includes(name), name);
  });

  for (const { name, help } of all) {
    it(`${name} --help shows an example of itself`, () => {
      assert.match(help, new RegExp(`Examples:\n(.*\n)*  cert-rotation ${name}`));
      assert.match(help, /--output <format>/);
    });
  }

  it('--help tells the exit codes', async () => {
    const { code, stdout } = await runStarter(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Exit codes: 0 done, 1 failed, 2 bad input/);
  });

  it('--version is that of the package', async () => {
    const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
    assert.deepEqual(await runStarter(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  const wrong: [string, string[], RegExp][] = [
    ['no command', [], /Usage: cert-rotation/],
    ['an unknown command', ['rotat'], /unknown command 'rotat'.*Did you mean rotate/s],
    ['an unknown command further in', ['schedule', 'stop'], /unknown command 'stop'/],
    ['an unknown option', ['status', '--all'], /unknown option '--all'/],
    ['an argument too many', ['validate', 'rotation.yaml'], /too many arguments/],
    ['an argument too few', ['rotate', 'ca'], /missing required argument 'authority'/],
    ['a required option too few', ['approve', 'temporal-booking'], /required option '--who <who>' not specified/],
    ['an unknown format', ['status', '-o', 'xml'], /Allowed choices are text, json/],
    ['nobody who decides', ['approve', 'temporal-booking', '--who', ' ', '--config', example], /"who" must name/],
    [
      'no configuration',
      ['status', '--config', '/nowhere.yaml'],
      /^cert-rotation: \/nowhere\.yaml: there is no such file/,
    ],
    ['a command in a folder without a sandbox', ['sandbox', 'down', '--state', root], /no sandbox runs in/],
  ];
  for (const [what, args, message] of wrong) {
    it(`${what}: exit code 2, and what is wrong on standard error`, async () => {
      const { code, stdout, stderr } = await runStarter(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }

  it('a refusal with -o json is one document on standard output, and readable on standard error', async () => {
    const { code, stdout, stderr } = await runStarter(['status', '--config', '/nowhere.yaml', '-o', 'json']);
    const { error, exitCode } = JSON.parse(stdout) as { error: { type: string; message: string }; exitCode: number };
    assert.deepEqual([code, exitCode, error.type], [2, 2, 'ConfigurationInvalid']);
    assert.ok(stderr.includes(error.message));
  });

  it('runs as the package installs it', async () => {
    const { bin } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { bin: Record<string, string> };
    const program = `${root}${bin['cert-rotation']}`;
    const { stdout } = await promisify(execFile)(program, ['validate', '--config', example], { env: secrets });
    assert.equal(stdout, `${example} is valid\n`);
  });
});

describe('validate', () => {
  it('a valid configuration: exit code 0', async () => {
    const { code, stdout } = await runStarter(['validate', '--config', example, '-o', 'json'], secrets);
    const { warnings, ...answer } = JSON.parse(stdout) as { warnings: { key: string }[] };
    assert.deepEqual([code, answer], [0, { file: example, valid: true, issues: [] }]);
    const keys = warnings.map(({ key }) => key);
    assert.deepEqual(
      keys,
      ['targets.booking-worker.taskQueues.0.namespace'],
      'one namespace for both: the article has it',
    );
  });

  it('$CERT_ROTATION_CONFIG names the file, and a secret that is not there is an issue with its line', async () => {
    const env = { ...secrets, CERT_ROTATION_CONFIG: example, CERT_ROTATION_KEY: undefined };
    const { code, stdout, stderr } = await runStarter(['validate', '-o', 'json'], env);
    const { valid, issues } = JSON.parse(stdout) as { valid: boolean; issues: { line: number; key: string }[] };
    assert.deepEqual([code, valid, issues.length, issues[0]!.key], [2, false, 1, 'keystore.encryptionKey']);
    const lines = (await readFile(example, 'utf8')).split('\n');
    assert.match(lines[issues[0]!.line - 1]!, /encryptionKey/);
    assert.match(stderr, /the environment variable CERT_ROTATION_KEY is missing or empty/);
  });

  it('--schema prints the JSON Schema that editors read', async () => {
    const { stdout } = await runStarter(['validate', '--schema']);
    assert.equal(stdout, await readFile(`${root}examples/rotation.schema.json`, 'utf8'));
  });
});
