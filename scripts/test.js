// Runs every test, or the files named: one process per file, one file at a time, because sandboxes share two cores.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

if (!existsSync('node_modules/@temporalio/worker')) execFileSync('npm', ['ci'], { stdio: 'inherit' });
// The sandbox's Deployments run the built programs, as a user's do.
execFileSync('npm', ['run', 'build', '--silent'], { stdio: ['ignore', 'ignore', 'inherit'] });
const named = process.argv.slice(2);
const all = readdirSync('test', { recursive: true }).filter((file) => file.endsWith('.test.ts'));
const files = named.length > 0 ? named : all.toSorted((a, b) => a.localeCompare(b)).map((file) => join('test', file));
const child = spawn(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=1', '--test-reporter=spec', ...files],
  {
    stdio: 'inherit',
  },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
