import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { followCertificates, type FollowedConnection } from '../../follow-certificates.js';

/**
 * The article's worker, `temporal-booking-worker`: reads the article's environment variables, works on its task queue
 * and starts bookings at a steady rate, so that the sandbox has traffic. It reads its certificate once, at start: only a
 * restart moves it onto another one. With FOLLOW_CERTIFICATES it follows the files, as any worker can.
 */
async function main(): Promise<void> {
  Runtime.install({
    shutdownSignals: ['SIGTERM', 'SIGINT'],
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'WARN' } } },
  });
  const [namespace, taskQueue] = [required('TEMPORAL_NAMESPACE'), required('TEMPORAL_TASK_QUEUE')];
  // What the SDK says by itself where the host is a pod.
  const identity = `${process.pid}@${process.env['HOSTNAME'] ?? 'local'}`;
  const connected = process.env['FOLLOW_CERTIFICATES'] ? await following(namespace) : await once(namespace, identity);
  const worker = await Worker.create({
    connection: connected.native,
    namespace,
    taskQueue,
    identity,
    ...workflowCode(),
    activities: await import('./activities.js'),
    shutdownGraceTime: '5s',
  });
  connected.follow(worker);
  const stopTraffic = startTraffic(() => connected.client(), taskQueue);
  await worker.run();
  await stopTraffic();
  await connected.close();
}

type Connected = Pick<FollowedConnection, 'native' | 'client' | 'follow' | 'close'>;

async function once(namespace: string, identity: string): Promise<Connected> {
  const options = { address: required('TEMPORAL_HOST_URL'), tls: await tls() };
  const native = await NativeConnection.connect(options);
  const connection = await Connection.connect(options);
  const client = new Client({ connection, namespace, identity });
  return {
    native,
    client: () => client,
    follow: () => undefined,
    async close() {
      await connection.close();
      await native.close();
    },
  };
}

const following = (namespace: string): Promise<Connected> =>
  followCertificates({
    address: required('TEMPORAL_HOST_URL'),
    namespace,
    certificateFile: required('TEMPORAL_MTLS_TLS_CERT'),
    keyFile: required('TEMPORAL_MTLS_TLS_KEY'),
    serverName: required('SANDBOX_SERVER_NAME'),
    serverRootsFile: required('SANDBOX_SERVER_ROOTS'),
  });

/** The bundle made at build time: a pod is called ready as soon as it runs, so it had better poll soon. From source, the workflows. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const bundle = fileURLToPath(new URL('./workflow-bundle.js', import.meta.url));
  if (existsSync(bundle)) return { workflowBundle: { codePath: bundle } };
  return { workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)) };
}

async function tls() {
  const [crt, key, roots] = await Promise.all([
    readFile(required('TEMPORAL_MTLS_TLS_CERT')),
    readFile(required('TEMPORAL_MTLS_TLS_KEY')),
    readFile(required('SANDBOX_SERVER_ROOTS')),
  ]);
  return {
    clientCertPair: { crt, key },
    serverRootCACertificate: roots,
    serverNameOverride: required('SANDBOX_SERVER_NAME'),
  };
}

/**
 * Starts bookings at the rate of BOOKINGS_PER_SECOND until stopped; never waits for one before it starts the next. SIGUSR2 stops
 * the traffic and leaves the worker working: whoever counts bookings lets those under way end first.
 */
function startTraffic(client: () => Client, taskQueue: string): () => Promise<void> {
  const rate = Number(process.env['BOOKINGS_PER_SECOND'] ?? '0');
  if (rate === 0) return async () => undefined;
  const underWay = new Set<Promise<unknown>>();
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    const workflowId = `booking-${process.env['HOSTNAME']}-${count}`;
    const start = client()
      .workflow.start('book', { workflowId, taskQueue, args: [`LH${count}`] })
      .catch((error: Error) => process.stderr.write(`booking ${workflowId} not started: ${error.message}\n`));
    underWay.add(start);
    void start.finally(() => underWay.delete(start));
  }, 1000 / rate);
  for (const signal of ['SIGTERM', 'SIGUSR2']) process.once(signal, () => clearInterval(timer));
  return async () => {
    clearInterval(timer);
    await Promise.all(underWay);
  };
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is missing`);
  return value;
}

await main();
