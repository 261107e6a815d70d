// Runs every test, or the files named: one process per file, two at a time. With --chaos those that try to break a rotation, and
// take long.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

if (!existsSync('node_modules/@temporalio/worker')) execFileSync('npm', ['ci'], { stdio: 'inherit' });
// The sandbox's Deployments run the built programs, as a user's do.
execFileSync('npm', ['run', 'build', '--silent'], { stdio: ['ignore', 'ignore', 'inherit'] });

/** The longest first, so that no core waits for it at the end; the quick ones beside it, because it measures a downtime. */
const rank = (file) => (file.startsWith('guarantees/rotation') ? 0 : /^(guarantees|sandbox)\//.test(file) ? 2 : 1);

const chaos = process.argv.includes('--chaos');
const named = process.argv.slice(2).filter((argument) => argument !== '--chaos');
const all = readdirSync('test', { recursive: true })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => file.startsWith('chaos') === chaos);
const ordered = all.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b)).map((file) => join('test', file));

// The runner starts each file with this process's own options.
process.execArgv.push('--import', 'tsx');
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    process.exitCode = 130;
    stopped.abort();
  });
}
run({ files: named.length > 0 ? named : ordered, concurrency: 2, signal: stopped.signal })
  .on('test:fail', () => (process.exitCode ||= 1))
  .compose(spec)
  .pipe(process.stdout);
