// From a fresh clone to a running benchmark: installs and builds what is missing, then runs it in this very process, which Ctrl-C
// ends with everything that it started.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const quietly = { stdio: ['ignore', 2, 2] };
if (!existsSync('node_modules/@temporalio/worker')) execFileSync('npm', ['ci'], quietly);
execFileSync('npm', ['run', 'build', '--silent'], { stdio: ['ignore', 'ignore', 2] });
await import('../dist/sandbox/bench/main.js');
