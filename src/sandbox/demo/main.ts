import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { removeAtEnd } from '../children.js';
import { startSandbox } from '../index.js';
import { chosenKinds, kindsOf, seams, type Kinds, type Seam } from '../kinds.js';
import { endOnInterrupt, narrator } from '../narrator.js';
import { isOutage, runDemo, type DemoResult, type RotationSummary } from './index.js';

interface Options {
  readonly json: boolean;
  readonly keep: boolean;
  readonly kinds: Kinds;
}

/**
 * `npm run demo [-- --json] [--keep] [--<seam> <kind>]`: lines for people on stderr with --json, on stdout without. Its
 * processes and its folder go when this process does, however it ends: Ctrl-C need only end it.
 */
async function main({ json, keep, kinds }: Options): Promise<number> {
  const out = json ? process.stderr : process.stdout;
  const say = narrator(out);
  endOnInterrupt(say);
  const dir = mkdtempSync(join(tmpdir(), 'cert-rotation-demo-'));
  removeAtEnd(dir);
  say(
    `made of ${Object.entries(kinds)
      .map(([seam, kind]) => `${seam} ${kind}`)
      .join(', ')}`,
  );
  const sandbox = await startSandbox({ dir, kinds, progress: say });
  const result = await runDemo(sandbox, say);
  for (const line of summaryLines(result)) out.write(`${line}\n`);
  if (keep) {
    say(`the sandbox stays up: Temporal UI ${sandbox.temporal.ui}, state in ${dir}; Ctrl-C ends it`);
    await new Promise(() => setInterval(() => undefined, 60_000));
  }
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok ? 0 : 1;
}

function summaryLines(result: DemoResult): string[] {
  const rotation = (
    name: string,
    { oldFingerprint, newFingerprint, seconds, actions, heartbeatsAtMost, phases }: RotationSummary,
    of = '',
  ) => [
    `${name}: ${oldFingerprint?.slice(0, 16)} → ${newFingerprint?.slice(0, 16)} in ${seconds} s, ${actions} Temporal actions, heartbeats at most ${heartbeatsAtMost} more`,
    `  ${of}${Object.entries(phases)
      .map(([phase, spent]) => `${phase} ${spent} s`)
      .join(', ')}`,
  ];
  return [
    '',
    ...rotation('Leaf', result.leaf),
    ...rotation('CA', result.ca, 'besides its leaf rotations: '),
    `Bookings: ${result.workflowsCompleted} of ${result.workflowsStarted} completed, the slowest in ${result.slowestWorkflowMs} ms`,
    `Calls failed: ${result.failedCalls}   Worker downtime: ${result.workerDowntimeMs} ms   Fewest workers polling: ${result.minPollingWorkers}`,
    ...Object.entries(result.failedByCode).map(([code, calls]) => `  failed: ${calls} × ${code}`),
    ...(isOutage(result.kinds)
      ? ['  rollout scale ends every worker before the new ones start: that downtime is its own, and none of rolling']
      : []),
    '',
  ];
}

/** Undefined when the arguments make no sense; then that was said. */
function options(): Options | undefined {
  const names = Object.keys(seams) as Seam[];
  const named = Object.fromEntries(names.map((seam) => [seam, { type: 'string' as const }]));
  try {
    const flags = { json: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } } as const;
    const { values } = parseArgs({ options: { ...flags, ...named } });
    return { json: values.json, keep: values.keep, kinds: chosenKinds(values as Partial<Record<Seam, string>>) };
  } catch (error) {
    const usage = names.map((seam) => `[--${seam} ${kindsOf[seam].join('|')}]`).join(' ');
    process.stderr.write(`demo: ${(error as Error).message}\nusage: npm run demo -- [--json] [--keep] ${usage}\n`);
    return undefined;
  }
}

const given = options();
process.exit(given ? await main(given) : 2);
