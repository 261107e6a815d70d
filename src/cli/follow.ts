import type { Client } from '@temporalio/client';
import { watch, type Step, type Told } from '../temporal/history.js';

export type Say = (line: string) => void;

/** Follows a run and its children to the end; says each step once, when it begins to wait or when it ends. */
export async function followRun(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId?: string },
  say: Say,
): Promise<Told> {
  const said = new Set<string>();
  const children = new Map<string, Promise<void>>();
  let last: Told | undefined;
  let waits = false;
  for await (const told of watch(client, workflowId, runId)) {
    last = told;
    told.steps.forEach((step) => sayOnce(step, workflowId, ''));
    for (const child of told.children) if (!children.has(child)) children.set(child, followChild(child));
    if (told.waiting && !waits)
      say(`  ${'…'.padEnd(10)} waiting: for time to pass, or for a person (see: cert-rotation status)`);
    waits = told.waiting;
  }
  await Promise.all(children.values());
  return last!;

  async function followChild(child: string): Promise<void> {
    for await (const told of watch(client, child)) told.steps.forEach((step) => sayOnce(step, child, `${child}: `));
  }

  function sayOnce(step: Step, of: string, prefix: string): void {
    const key = `${of} ${step.startedAt} ${step.activity}`;
    if (step.state === 'running' || said.has(key)) return;
    said.add(key);
    const seconds = step.seconds === undefined ? '' : ` (${step.seconds.toFixed(1)} s)`;
    say(
      `  ${step.phase.padEnd(10)} ${prefix}${step.summary}${seconds}${step.failure ? `\n             FAILED: ${step.failure}` : ''}`,
    );
  }
}
