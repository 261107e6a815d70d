import { setTimeout as wait } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../config/load.js';
import type { Fingerprint } from '../domain/certificate.js';
import type { KubernetesObject } from '../kubernetes/client.js';
import { readCertificates } from '../x509/read.js';
import { booking } from './configuration.js';
import type { Measures } from './gateway/measures.js';
import { pollKinds, pollSpans } from './gateway/polls.js';
import type { Sandbox } from './index.js';

const workers = 3;
const workerPods = 'temporal-booking-worker';

/**
 * When every booking worker that runs polls for both kinds of tasks: Kubernetes calls them available before, because the article's
 * readiness probe does not ask Temporal. Milliseconds since the epoch.
 */
export async function everyWorkerPolls({ gateway, nodeAgent }: Sandbox): Promise<number> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const record = await gateway.record();
    const polling = pollKinds.map(
      (kind) => new Set(pollSpans(record, kind, booking.taskQueue).map(({ worker }) => worker)),
    );
    const running = [...nodeAgent.pods()].filter(([pod, pid]) => pod.startsWith(workerPods) && pid);
    const allPoll = running.every(([pod, pid]) => polling.every((identities) => identities.has(`${pid}@${pod}`)));
    if (running.length >= workers && allPoll) return Date.now();
    if (Date.now() > deadline) throw new Error(`not all of the ${workers} workers poll`);
    await wait(200);
  }
}

/** No booking is started from here on; the workers go on working. */
export function stopTraffic({ nodeAgent }: Sandbox): void {
  for (const [pod, pid] of nodeAgent.pods()) if (pod.startsWith(workerPods) && pid) process.kill(pid, 'SIGUSR2');
}

/** A client of the dev server itself, not of the gateway: its calls are in no record. */
export async function withDirectClient<T>({ temporal }: Sandbox, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    return await work(new Client({ connection, namespace: booking.namespace }));
  } finally {
    await connection.close();
  }
}

/** Workflows that failed or timed out. */
export async function failedWorkflows(client: Client): Promise<number> {
  return (await client.workflow.count('ExecutionStatus IN ("Failed", "TimedOut", "Terminated")')).count;
}

/** The gateway sees calls; a workflow that failed or timed out is a failed call, too (safety 28). */
export function withWorkflows<M extends Pick<Measures, 'failedCalls' | 'failedByCode'>>(
  measures: M,
  failed: number,
): M {
  if (failed === 0) return measures;
  const failedByCode = { ...measures.failedByCode, 'workflows failed or timed out': failed };
  return { ...measures, failedCalls: measures.failedCalls + failed, failedByCode };
}

export type SecretObject = KubernetesObject & { readonly data?: Readonly<Record<string, string>> };

/** The Secrets of all targets. */
export async function targetSecrets({ kubernetes, configFile }: Sandbox): Promise<readonly SecretObject[]> {
  const { config } = await loadConfig(configFile);
  const secrets = await Promise.all(
    Object.values(config.targets).map(({ namespace, secret }) =>
      kubernetes.admin.get<SecretObject>(`/api/v1/namespaces/${namespace}/secrets/${secret}`),
    ),
  );
  return secrets.filter((secret) => secret !== undefined);
}

/** The certificates in a Secret, by their fingerprints. */
export function leavesIn({ data }: SecretObject): readonly Fingerprint[] {
  const pem = Buffer.from(data?.['tls.crt'] ?? '', 'base64').toString('utf8');
  return readCertificates(pem).map(({ fingerprint }) => fingerprint);
}
