// From a fresh clone to a running demo: installs and builds what is missing, then runs it with the arguments given.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const quietly = { stdio: ['ignore', 2, 2] };
if (!existsSync('node_modules/@temporalio/worker')) execFileSync('npm', ['ci'], quietly);
execFileSync('npm', ['run', 'build', '--silent'], { stdio: ['ignore', 'ignore', 2] });
const child = spawn(process.execPath, ['dist/sandbox/demo/main.js', ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
