import { writeFile } from 'node:fs/promises';
import { endOnInterrupt, narrator } from '../narrator.js';
import { runIssuing, type IssuingRun } from './issuing.js';
import { loadOfLastMinute, machine } from './machine.js';
import { createMakers } from './makers.js';
import { parseOptions, type BenchOptions } from './options.js';
import { report, type Report } from './report.js';
import { runRotations, type RotationRun } from './rotations.js';
import { tables } from './table.js';

/** How long a number is measured, and under how much traffic: see docs/benchmarks.md. */
const [lasting, quickly] = [
  { steadyMs: 15_000, forMs: 1500, bookingsPerSecond: 12 },
  { steadyMs: 3000, forMs: 100, bookingsPerSecond: 3 },
];

/**
 * `npm run bench`: lines and tables for people on stderr with --json, on stdout without; the report in a file. Its processes and
 * its folders go when this process does, however it ends.
 */
async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const out = options.json ? process.stderr : process.stdout;
  const say = narrator(out);
  endOnInterrupt(say);
  let measured: Report | undefined;
  // After each run: what was measured is kept, whatever becomes of the next.
  for await (measured of measure(options, say)) await writeFile(options.file, `${JSON.stringify(measured, null, 2)}\n`);
  out.write(`\n${tables(measured!).join('\n')}\n\n`);
  say(`the report, with every run, is in ${options.file}`);
  if (options.json) process.stdout.write(`${JSON.stringify(measured)}\n`);
  return 0;
}

/** Yields the report of all runs so far after each, of which there is one at least. */
async function* measure({ runs, quick, only }: BenchOptions, say: (line: string) => void): AsyncGenerator<Report> {
  const { steadyMs, forMs, bookingsPerSecond } = quick ? quickly : lasting;
  const startedAt = new Date().toISOString();
  const [rotations, issuing, loads]: [RotationRun[], IssuingRun[], number[]] = [[], [], []];
  const makers = only === 'rotations' ? [] : await createMakers(say);
  for (let run = 1; run <= runs; run += 1) {
    loads.push(loadOfLastMinute());
    say(`Run ${run} of ${runs}; load of the last minute: ${loads.at(-1)}`);
    if (only !== 'rotations') issuing.push(await runIssuing({ say, makers, forMs }));
    if (only !== 'issuing') rotations.push(await runRotations({ say, steadyMs, bookingsPerSecond }));
    const endedAt = new Date().toISOString();
    yield report({ startedAt, endedAt, machine: machine(), quick, loads }, { rotations, issuing });
  }
}

process.exit(await main());
