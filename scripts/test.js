// Runs every test, or the files named; one process per file, except for files whose tests leave their process alone. With
// --chaos the long ones, which try to break a whole sandbox.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { installAndBuild } from './build.js';

// The sandbox's Deployments run the built programs, as a user's do.
installAndBuild();

const chaos = process.argv.includes('--chaos');
const named = process.argv.slice(2).filter((argument) => argument !== '--chaos');
const all = readdirSync('test', { recursive: true })
  .filter((file) => file.endsWith('.test.ts') && file.startsWith('chaos') === chaos)
  .toSorted((a, b) => a.localeCompare(b));
/** They break rotations whose pods and clouds are none, or a control plane alone: nobody is measured. */
const breaking = all.filter((file) =>
  /^chaos\/(cloud-faults|kill-anywhere|kubernetes-faults|soak|start-over|year)\./.test(file),
);
/** They start a whole sandbox and measure what its workers meet: nothing else may take their time. */
const alone = all.filter((file) => /^(chaos|guarantees)\//.test(file) && !breaking.includes(file));
/** They start no server and change nothing of their process; to load what they use would cost more than to run them. */
const together = all.filter((file) =>
  /^(activities|cloud|config|domain|issuers|notifiers|sandbox\/bench|x509)\//.test(file),
);
const beside = all.filter((file) => ![alone, breaking, together].some((others) => others.includes(file)));
const phases = [
  { files: together.length > 0 ? ['together.ts', ...beside] : beside, concurrency: 2 },
  { files: breaking, concurrency: 2 },
  { files: alone, concurrency: 1 },
].map(({ files, concurrency }) => ({ files: files.map((file) => join('test', file)), concurrency }));

// The runner starts each file with this process's own options.
process.execArgv.push('--import', 'tsx');
process.env['CERT_ROTATION_TESTS_TOGETHER'] = JSON.stringify(together.map((file) => `./${file}`));
// Made once, not by every file that needs it.
process.env['CERT_ROTATION_WORKFLOW_BUNDLE'] = resolve('dist/workflow-bundle.js');
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    process.exitCode = 130;
    stopped.abort();
  });
}

/** One phase after the other, as one run with one count at its end. */
async function* events() {
  const totals = new Map();
  for (const phase of named.length > 0 ? [{ files: named, concurrency: 2 }] : phases) {
    if (phase.files.length === 0 || stopped.signal.aborted) continue;
    for await (const event of run({ ...phase, signal: stopped.signal })) {
      const { type, data } = event;
      if (type === 'test:fail') process.exitCode ||= 1;
      const [, what, count] =
        (type === 'test:diagnostic' && data.nesting === 0 && /^([a-z_]+) ([\d.]+)$/.exec(data.message)) || [];
      if (what) totals.set(what, (totals.get(what) ?? 0) + Number(count));
      else yield event;
    }
  }
  for (const [what, count] of totals)
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${what} ${count}` } };
}

Readable.from(events()).compose(spec).pipe(process.stdout);
