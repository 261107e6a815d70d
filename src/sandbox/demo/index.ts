import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { loadConfig } from '../../config/load.js';
import { applyLeafSchedule } from '../../temporal/schedules.js';
import { booking } from '../configuration.js';
import { measure, type Measures } from '../gateway/measures.js';
import type { Sandbox } from '../index.js';
import type { Kinds } from '../kinds.js';
import {
  everyWorkerPolls,
  failedWorkflows,
  leavesIn,
  stopTraffic,
  targetSecrets,
  withDirectClient,
  withWorkflows,
} from '../traffic.js';
import { rotateCa, rotateLeaf, runSchedule, type Rotated } from './rotations.js';

export interface RotationSummary {
  readonly seconds: number;
  readonly actions: number;
  readonly heartbeatsAtMost: number;
  readonly oldFingerprint: string | undefined;
  readonly newFingerprint: string | undefined;
  readonly phases: Readonly<Record<string, number>>;
}

export interface DemoResult extends Measures {
  /** No call failed, every booking was completed, and somebody polled at every moment; the last not with rollout `scale`. */
  readonly ok: boolean;
  readonly kinds: Kinds;
  readonly workflowsStarted: number;
  readonly workflowsCompleted: number;
  readonly slowestWorkflowMs: number;
  readonly leaf: RotationSummary;
  readonly ca: RotationSummary;
  readonly scheduledSeconds: number;
}

/**
 * Three workers under steady traffic; a leaf rotation, a CA rotation with its approval, the daily schedule applied and
 * triggered once. What it says about calls and downtime comes from the gateway's record.
 */
export async function runDemo(sandbox: Sandbox, say: (line: string) => void): Promise<DemoResult> {
  const from = await everyWorkerPolls(sandbox);
  return withDirectClient(sandbox, async (client) => {
    const leaves = new Set(await targetLeaves(sandbox));
    say('Leaf rotation of booking-worker');
    const leaf = await rotateLeaf(client, say);
    say('CA rotation of temporal-booking');
    const ca = await rotateCa(client, say);
    for (const moved of [leaf.result, ...ca.result.leaves]) if (moved.newFingerprint) leaves.add(moved.newFingerprint);
    say('Daily schedule, applied and triggered once');
    await applyLeafSchedule(client, (await loadConfig(sandbox.configFile)).config);
    const scheduledSeconds = await runSchedule(client, say);
    for (const fingerprint of await targetLeaves(sandbox)) leaves.add(fingerprint);
    const traffic = { from, to: Date.now() };
    const bookings = await bookingsOf(client, sandbox);
    const measures = withWorkflows(
      measure(await sandbox.gateway.record(), {
        ...booking,
        leaves,
        traffic,
        probesShowNoLeaf: showsNoLeaf(sandbox.kinds),
      }),
      await failedWorkflows(client),
    );
    return {
      ok:
        measures.failedCalls === 0 &&
        (measures.workerDowntimeMs === 0 || isOutage(sandbox.kinds)) &&
        bookings.workflowsStarted === bookings.workflowsCompleted,
      kinds: sandbox.kinds,
      ...measures,
      ...bookings,
      leaf: summary(leaf),
      ca: summary(ca),
      scheduledSeconds,
    };
  });
}

export const showsNoLeaf = ({ probe }: Kinds): boolean => probe === 'temporal-cli';

/** Scaled to 0, nobody works: the article's way has its downtime. */
export const isOutage = ({ rollout }: Kinds): boolean => rollout === 'scale';

function summary(rotated: Rotated<{ oldFingerprint?: string; newFingerprint?: string }>): RotationSummary {
  const { result, ...measured } = rotated;
  return { ...measured, oldFingerprint: result.oldFingerprint, newFingerprint: result.newFingerprint };
}

async function targetLeaves(sandbox: Sandbox): Promise<readonly string[]> {
  return (await targetSecrets(sandbox)).flatMap(leavesIn);
}

/** Stops the traffic first, so that what was started can be completed; then every booking must be. */
async function bookingsOf(client: Client, sandbox: Sandbox) {
  stopTraffic(sandbox);
  const count = async (query: string) => (await client.workflow.count(`WorkflowType = "book"${query}`)).count;
  const deadline = Date.now() + 60_000;
  let quiet = 0;
  let [started, completed] = [0, 0];
  while (quiet < 3 && Date.now() < deadline) {
    await wait(500);
    const [startedNow, completedNow] = [await count(''), await count(' AND ExecutionStatus = "Completed"')];
    quiet = startedNow === started && completedNow === completed && startedNow === completedNow ? quiet + 1 : 0;
    [started, completed] = [startedNow, completedNow];
  }
  let slowestWorkflowMs = 0;
  for await (const { startTime, closeTime } of client.workflow.list({
    query: 'WorkflowType = "book"',
    pageSize: 1000,
  })) {
    slowestWorkflowMs = Math.max(slowestWorkflowMs, (closeTime?.getTime() ?? Date.now()) - startTime.getTime());
  }
  return { workflowsStarted: started, workflowsCompleted: completed, slowestWorkflowMs };
}
