import { setTimeout as wait } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { caRotationId, defaultTaskQueue, leafRotationId, leafScheduleId } from '../../domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../domain/rotation.js';
import { tell, tellIfKnown, type Step } from '../../temporal/history.js';
import { triggerSchedule } from '../../temporal/schedules.js';
import { untilApprovalIsAsked } from '../approval.js';
import { booking } from '../configuration.js';

export interface Rotated<Result> {
  readonly result: Result;
  readonly seconds: number;
  /** Billable actions, children included. */
  readonly actions: number;
  /** Listed apart, because no history shows them: actions of heartbeats, at most. */
  readonly heartbeatsAtMost: number;
  readonly phases: Readonly<Record<string, number>>;
}

type Say = (line: string) => void;

export async function rotateLeaf(client: Client, say: Say): Promise<Rotated<LeafRotationResult>> {
  const workflowId = leafRotationId(booking.target);
  const handle = await client.workflow.start('leafRotation', {
    workflowId,
    taskQueue: defaultTaskQueue,
    args: [{ target: booking.target }],
  });
  return finished<LeafRotationResult>(client, handle, say);
}

/** Starts the rotation and follows it. */
export async function rotateCa(client: Client, say: Say): Promise<Rotated<CaRotationResult>> {
  await client.workflow.start('caRotation', {
    workflowId: caRotationId(booking.authority),
    taskQueue: defaultTaskQueue,
    args: [{ authority: booking.authority }],
  });
  return followCa(client, say);
}

/** Follows the rotation that runs, and approves the removal when it asks, as a person would by signal. */
export async function followCa(client: Client, say: Say): Promise<Rotated<CaRotationResult>> {
  const handle = client.workflow.getHandle(caRotationId(booking.authority));
  const approved = approveWhenAsked(client, handle, say);
  const rotated = await finished<CaRotationResult>(client, handle, say);
  await approved;
  return rotated;
}

async function approveWhenAsked(client: Client, handle: WorkflowHandle, say: Say): Promise<void> {
  const evidence = await untilApprovalIsAsked(client, handle.workflowId);
  if (!evidence) return;
  say(`  approve    a person approves the removal of the old CA, on evidence ${evidence.slice(0, 12)}`);
  const why = 'every worker is on the new certificate';
  await handle.signal('approveCaRemoval', { who: 'demo', why, evidence });
}

/** Triggers the daily schedule once and waits for the run that it starts. */
export async function runSchedule(client: Client, say: Say): Promise<number> {
  const before = await lastRun(client);
  await triggerSchedule(client, leafScheduleId);
  let workflowId: string | undefined;
  while (!workflowId || workflowId === before) {
    await wait(300);
    workflowId = await lastRun(client);
  }
  const handle = client.workflow.getHandle(workflowId);
  return (await finished<unknown>(client, handle, say)).seconds;
}

async function lastRun(client: Client): Promise<string | undefined> {
  const { info } = await client.schedule.getHandle(leafScheduleId).describe();
  return info.recentActions.at(-1)?.action.workflow.workflowId;
}

/** Says each step as it ends, and sums the phases up. */
async function finished<Result>(client: Client, handle: WorkflowHandle, say: Say): Promise<Rotated<Result>> {
  const began = Date.now();
  const said = new Set<string>();
  let told = await tell(client, handle.workflowId);
  for (;;) {
    const children = await Promise.all(
      told.children.map(async (child) => ({ id: child, steps: (await tellIfKnown(client, child))?.steps ?? [] })),
    );
    for (const { key, line } of endedSteps({ id: handle.workflowId, steps: told.steps }, children)) {
      if (!said.has(key)) say(line);
      said.add(key);
    }
    if (told.outcome !== 'running') break;
    await wait(500);
    told = await tell(client, handle.workflowId);
  }
  if (told.outcome !== 'completed') throw new Error(`${handle.workflowId} ${told.outcome}: ${told.failure ?? ''}`);
  const children = await Promise.all(told.children.map((child) => tell(client, child)));
  const phases: Record<string, number> = {};
  for (const { phase, seconds } of told.steps)
    phases[phase] = Math.round(((phases[phase] ?? 0) + (seconds ?? 0)) * 10) / 10;
  return {
    result: (await handle.result()) as Result,
    seconds: Math.round((Date.now() - began) / 100) / 10,
    actions: children.reduce((sum, child) => sum + child.actions, told.actions),
    heartbeatsAtMost: children.reduce((sum, child) => sum + child.heartbeatsAtMost, told.heartbeatsAtMost),
    phases,
  };
}

interface Steps {
  /** Of the workflow. */
  readonly id: string;
  readonly steps: readonly Step[];
}

/** A line for each step that has ended, those of children indented, in the order in which they ended. */
export function endedSteps(
  rotation: Steps,
  children: readonly Steps[],
): readonly { readonly key: string; readonly line: string }[] {
  const lines = ({ id, steps }: Steps, indent: string) =>
    steps
      .filter(({ state }) => state !== 'running')
      .map(({ phase, activity, summary, startedAt, seconds = 0, failure }) => ({
        key: `${id} ${startedAt} ${activity}`,
        endedAt: Date.parse(startedAt) + seconds * 1000,
        line: `${indent}${phase.padEnd(10)} ${summary} (${seconds} s)${failure ? ` FAILED: ${failure}` : ''}`,
      }));
  return [...lines(rotation, '  '), ...children.flatMap((child) => lines(child, '    '))].toSorted(
    (a, b) => a.endedAt - b.endedAt,
  );
}
