// What the demo, the benchmark and the tests begin with, so that a fresh clone needs no step before them.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Written by the build at its end. */
const lastBuilt = 'dist/sandbox/booking/workflow-bundle.js';
const madeOf = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/finish-build.js'];

/** Installs and builds what is missing or older than what it is made of; what goes wrong is said on standard error. */
export function installAndBuild() {
  const stdio = ['ignore', 2, 2];
  if (!existsSync('node_modules/@temporalio/worker')) execFileSync('npm', ['ci'], { stdio });
  const sources = readdirSync('src', { recursive: true }).map((file) => join('src', file));
  const changed = Math.max(...[...sources, ...madeOf].map(mtime));
  if (existsSync(lastBuilt) && mtime(lastBuilt) > changed) return;
  execFileSync('npm', ['run', 'build', '--silent'], { stdio });
}

/** Of a folder, too: it changes when a file in it goes. */
function mtime(path) {
  return statSync(path).mtimeMs;
}
