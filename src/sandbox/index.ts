import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { allEnded } from '../all-ended.js';
import { allowVariable } from '../config/powers.js';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.js';
import { bootstrap, firstCa, usualAges, type Ages } from './bootstrap.js';
import { startCloudApi, type CloudApi } from './cloud/control-plane.js';
import { CloudStore, newSpec } from './cloud/store.js';
import { booking, connectionAge, writeConfiguration } from './configuration.js';
import { startDevServer, type DevServer } from './dev-server.js';
import { startGateway, type Gateway } from './gateway/index.js';
import { startControlPlane, type ControlPlane } from './kubernetes/control-plane.js';
import { startNodeAgent, type NodeAgent } from './kubernetes/node-agent.js';
import { chosenKinds, type Kinds } from './kinds.js';
import { applyManifest } from './manifests.js';
import { startedWhole, type StopStack } from './processes.js';
import { findPrograms } from './programs.js';
import { findTools } from './tools/index.js';

export interface SandboxOptions {
  /** State folder, 0700. */
  readonly dir: string;
  readonly progress?: (line: string) => void;
  /** What the rotation is made of; default: the usual kinds. */
  readonly kinds?: Kinds;
  /** Merged over the sandbox's timing in the rotation's configuration. */
  readonly timing?: object;
  /** Notifiers of the rotation's configuration; default: none. */
  readonly notifiers?: object;
  /** How old the first certificates are. */
  readonly ages?: Ages;
  /** Bookings that each of the three workers starts per second. */
  readonly bookingsPerSecond?: number;
  /** The booking workers follow their certificate files, rather than to read them at start only. */
  readonly workersFollow?: boolean;
  /** Added to the rotation worker's environment. */
  readonly workerEnvironment?: Readonly<Record<string, string>>;
  /** Run the rotation worker as a Deployment (default), or not at all: a test runs its own. */
  readonly rotationWorker?: boolean;
  readonly uiPort?: number;
  /** Temporal keeps what it knows on disk, so that it can be restarted. */
  readonly temporalKeeps?: boolean;
}

export interface Sandbox {
  readonly dir: string;
  readonly kinds: Kinds;
  /** The rotation's configuration file. */
  readonly configFile: string;
  readonly temporal: DevServer;
  readonly gateway: Gateway;
  readonly cloud: CloudApi;
  readonly store: CloudStore;
  readonly kubernetes: ControlPlane;
  readonly nodeAgent: NodeAgent;
  stop(): Promise<void>;
}

/** Temporal Cloud and Kubernetes in a box: real parts on loopback, nothing outside is reachable from them (docs/sandbox.md). */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  return startedWhole((stack) => start(options, stack));
}

async function start(options: SandboxOptions, stack: StopStack): Promise<Sandbox> {
  const { dir, progress = () => undefined, kinds = chosenKinds({}), ages = usualAges } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const tools = await findTools({ progress });
  const programs = await findPrograms(kinds, progress);
  // Servers write certificates, logs and databases into the folder: for the eyes of its user alone.
  process.umask(0o077);
  progress('starting Temporal, Kubernetes, the gateway and the cloud API');
  const [temporal, kubernetes, ca] = await allEnded([
    startDevServer({
      temporal: tools.temporal,
      dir,
      namespaces: [booking.namespace],
      keeps: options.temporalKeeps,
      ...(options.uiPort !== undefined && { uiPort: options.uiPort }),
    }).then((server) => stack.push(server)),
    startControlPlane({ dir: join(dir, 'kubernetes'), tools }).then((plane) => stack.push(plane)),
    firstCa(ages),
  ]);
  const gateway = stack.push(
    await startGateway({
      binary: tools.gateway,
      dir,
      upstream: temporal.address,
      ...connectionAge,
      frontendDelaysMs: [0, 300, 900],
    }),
  );
  const trust = { bundlePem: ca.certificate.pem, filters: [] };
  await gateway.setTrust(booking.namespace, trust, { immediate: true });
  const store = new CloudStore({
    operationMs: 1000,
    onTrust: (namespace, changed) => gateway.setTrust(namespace, changed),
  });
  store.create(booking.namespace, newSpec('temporal-booking', trust));
  const cloud = stack.push(
    await startCloudApi({
      store,
      ...gateway.serverCertificate,
      mtlsAddressOf: () => gateway.address,
      checkDurationMs: 500,
    }),
  );
  await createNamespace(kubernetes.admin, 'temporal-booking');
  await createApplicationSecret(kubernetes.admin);
  await applyManifest(kubernetes.admin, 'deploy/rbac.yaml');
  if (kinds.rollout === 'scale') await applyManifest(kubernetes.admin, 'deploy/rbac-scale.yaml');
  await applyManifest(kubernetes.admin, 'deploy/admission-policy.yaml');
  const kubeconfig = await kubernetes.kubeconfigFor('cert-rotation', 'cert-rotation');
  const { file: configFile } = await writeConfiguration({
    dir,
    gateway,
    cloud,
    kubeconfig,
    markerId: kubernetes.markerId,
    kinds,
    programs,
    timing: options.timing,
    notifiers: options.notifiers,
  });
  await bootstrap(configFile, ca, kubernetes.admin, ages);
  const nodeAgent = stack.push(
    await startNodeAgent({
      admin: kubernetes.admin,
      images: images(options, gateway),
      names: {
        [`${gateway.serverNameOf(booking.namespace)}:7233`]: gateway.address,
        '/etc/cert-rotation/rotation.yaml': configFile,
      },
      dir: join(dir, 'pods'),
    }),
  );
  await applyManifest(kubernetes.admin, 'examples/article/deployment.yaml', 'temporal-booking');
  if (options.rotationWorker !== false) await applyManifest(kubernetes.admin, 'deploy/worker.yaml');
  progress('waiting for the workers');
  const deployments = '/apis/apps/v1/namespaces';
  await available(kubernetes, `${deployments}/temporal-booking/deployments/temporal-booking-worker`, 3);
  if (options.rotationWorker !== false)
    await available(kubernetes, `${deployments}/cert-rotation/deployments/cert-rotation-worker`, 1);
  return { dir, kinds, configFile, temporal, gateway, cloud, store, kubernetes, nodeAgent, stop: () => stack.stop() };
}

/** What the images of the sandbox's Deployments are: this package's own programs, built or from source. */
function images(options: SandboxOptions, gateway: Gateway) {
  const { bookingsPerSecond = 4, workersFollow, workerEnvironment } = options;
  const program = (name: string) => {
    const built = fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url));
    const source = fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url));
    return existsSync(built) ? [built] : ['--import', 'tsx', source];
  };
  const serverName = gateway.serverNameOf(booking.namespace);
  return {
    'ktenzer/temporal-booking:v1.0': {
      command: process.execPath,
      args: program('sandbox/booking/worker'),
      env: {
        SANDBOX_SERVER_ROOTS: gateway.caFile,
        SANDBOX_SERVER_NAME: serverName,
        BOOKINGS_PER_SECOND: String(bookingsPerSecond),
        ...(workersFollow && { FOLLOW_CERTIFICATES: 'yes' }),
      },
    },
    'cert-rotation-worker': {
      command: process.execPath,
      args: program('worker'),
      env: {
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: gateway.caFile,
        TEMPORAL_TLS_SERVER_NAME: serverName,
        [allowVariable]: 'foreign-cloud,commands',
        ...workerEnvironment,
      },
    },
  };
}

/** The article's Deployment reads a key of its application from this Secret; nobody here needs it. */
async function createApplicationSecret(admin: KubernetesClient): Promise<void> {
  const metadata = { name: 'chatgpt-key', namespace: 'temporal-booking' };
  const secret: KubernetesObject & { stringData: object } = { metadata, stringData: { KEY: 'unused' } };
  await admin.create('/api/v1/namespaces/temporal-booking/secrets', { apiVersion: 'v1', kind: 'Secret', ...secret });
}

async function createNamespace(admin: KubernetesClient, name: string): Promise<void> {
  await admin.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

type Deployment = KubernetesObject & {
  readonly status?: {
    readonly availableReplicas?: number;
    readonly conditions?: readonly { readonly message?: string }[];
  };
};
type Pod = KubernetesObject & { readonly status?: { readonly phase?: string } };

/** Seconds, as a rule; on a machine that does something else, too, or where a controller tries again, more. */
const availableWithinMs = 180_000;

export async function available(
  { admin, whyNoPods }: Pick<ControlPlane, 'admin' | 'whyNoPods'>,
  path: string,
  replicas: number,
): Promise<void> {
  const deadline = Date.now() + availableWithinMs;
  for (;;) {
    const { status } = (await admin.get<Deployment>(path)) ?? {};
    if ((status?.availableReplicas ?? 0) >= replicas) return;
    if (Date.now() > deadline) {
      const pods = await admin.list<Pod>(`/api/v1/namespaces/${path.split('/')[5]}/pods`);
      const said = [
        ...(status?.conditions ?? []).map(({ message }) => message),
        ...pods.map((pod) => `${pod.metadata?.name}: ${pod.status?.phase}`),
        ...(pods.length === 0 ? [whyNoPods()] : []),
      ];
      throw new Error(`${path} does not get ${replicas} available replicas: ${said.join('; ')}`);
    }
    await wait(200);
  }
}
