import { setTimeout as wait } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../config/load.js';
import { applyLeafSchedule } from '../../temporal/schedules.js';
import type { KubernetesObject } from '../../kubernetes/client.js';
import { readCertificates } from '../../x509/read.js';
import { booking } from '../configuration.js';
import { measure, type Measures } from '../gateway/measures.js';
import { pollKinds, pollSpans } from '../gateway/polls.js';
import type { Sandbox } from '../index.js';
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
  readonly ok: boolean;
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
  const connection = await Connection.connect({ address: sandbox.temporal.address });
  const client = new Client({ connection, namespace: booking.namespace });
  try {
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
      measure(await sandbox.gateway.record(), { ...booking, leaves, traffic }),
      await failedWorkflows(client),
    );
    return {
      ok:
        measures.failedCalls === 0 &&
        measures.workerDowntimeMs === 0 &&
        bookings.workflowsStarted === bookings.workflowsCompleted,
      ...measures,
      ...bookings,
      leaf: summary(leaf),
      ca: summary(ca),
      scheduledSeconds,
    };
  } finally {
    await connection.close();
  }
}

const workers = 3;

/**
 * When the traffic begins: Kubernetes calls the workers available before they poll, because the article's readiness probe does
 * not ask Temporal.
 */
async function everyWorkerPolls({ gateway }: Sandbox): Promise<number> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const record = await gateway.record();
    const polling = pollKinds.map((kind) => pollSpans(record, kind, booking.taskQueue).map(({ worker }) => worker));
    if (polling.every((identities) => new Set(identities).size >= workers)) return Date.now();
    if (Date.now() > deadline) throw new Error(`not all of the ${workers} workers poll`);
    await wait(200);
  }
}

/** The gateway sees calls; a workflow that failed or timed out is a failed call, too (safety 28). */
function withWorkflows(measures: Measures, failed: number): Measures {
  if (failed === 0) return measures;
  const failedByCode = { ...measures.failedByCode, 'workflows failed or timed out': failed };
  return { ...measures, failedCalls: measures.failedCalls + failed, failedByCode };
}

async function failedWorkflows(client: Client): Promise<number> {
  return (await client.workflow.count('ExecutionStatus IN ("Failed", "TimedOut", "Terminated")')).count;
}

function summary(rotated: Rotated<{ oldFingerprint?: string; newFingerprint?: string }>): RotationSummary {
  const { result, ...measured } = rotated;
  return { ...measured, oldFingerprint: result.oldFingerprint, newFingerprint: result.newFingerprint };
}

type SecretObject = KubernetesObject & { data?: Record<string, string> };

async function targetLeaves({ kubernetes, configFile }: Sandbox): Promise<readonly string[]> {
  const { config } = await loadConfig(configFile);
  const secrets = await Promise.all(
    Object.values(config.targets).map(({ namespace, secret }) =>
      kubernetes.admin.get<SecretObject>(`/api/v1/namespaces/${namespace}/secrets/${secret}`),
    ),
  );
  return secrets.flatMap((secret) =>
    readCertificates(Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString('utf8')).map(
      (certificate) => certificate.fingerprint,
    ),
  );
}

/** Stops the traffic first, so that what was started can be completed; then every booking must be. */
async function bookingsOf(client: Client, { nodeAgent }: Sandbox) {
  for (const [pod, pid] of nodeAgent.pods())
    if (pod.startsWith('temporal-booking-worker') && pid) process.kill(pid, 'SIGUSR2');
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
