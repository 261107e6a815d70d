import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeAtEnd } from '../children.js';
import { startSandbox } from '../index.js';
import { runDemo, type DemoResult, type RotationSummary } from './index.js';

/**
 * `npm run demo [-- --json] [--keep]`: lines for people on stderr with --json, on stdout without. Its processes and its
 * folder go when this process does, however it ends: Ctrl-C need only end it.
 */
async function main(): Promise<number> {
  const [json, keep] = [process.argv.includes('--json'), process.argv.includes('--keep')];
  const began = Date.now();
  const out = json ? process.stderr : process.stdout;
  const say = (line: string) =>
    void out.write(`${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s  ${line}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      say('interrupted: everything is stopped and removed');
      process.exit(130);
    });
  }
  const dir = mkdtempSync(join(tmpdir(), 'cert-rotation-demo-'));
  removeAtEnd(dir);
  const sandbox = await startSandbox({ dir, progress: say });
  const result = await runDemo(sandbox, say);
  for (const line of summaryLines(result)) out.write(`${line}\n`);
  if (keep) {
    say(`the sandbox stays up: Temporal UI ${sandbox.temporal.ui}, state in ${dir}; Ctrl-C ends it`);
    await new Promise(() => setInterval(() => undefined, 60_000));
  }
  await sandbox.stop();
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok ? 0 : 1;
}

function summaryLines(result: DemoResult): string[] {
  const rotation = (
    name: string,
    { oldFingerprint, newFingerprint, seconds, actions, heartbeatsAtMost, phases }: RotationSummary,
  ) => [
    `${name}: ${oldFingerprint?.slice(0, 16)} → ${newFingerprint?.slice(0, 16)} in ${seconds} s, ${actions} Temporal actions, heartbeats at most ${heartbeatsAtMost} more`,
    `  ${Object.entries(phases)
      .map(([phase, spent]) => `${phase} ${spent} s`)
      .join(', ')}`,
  ];
  return [
    '',
    ...rotation('Leaf', result.leaf),
    ...rotation('CA', result.ca),
    `Bookings: ${result.workflowsCompleted} of ${result.workflowsStarted} completed, the slowest in ${result.slowestWorkflowMs} ms`,
    `Calls failed: ${result.failedCalls}   Worker downtime: ${result.workerDowntimeMs} ms   Fewest workers polling: ${result.minPollingWorkers}`,
    ...Object.entries(result.failedByCode).map(([code, calls]) => `  failed: ${calls} × ${code}`),
    '',
  ];
}

process.exit(await main());
