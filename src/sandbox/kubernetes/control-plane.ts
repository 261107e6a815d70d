import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { createKubernetesClient, type KubernetesClient, type KubernetesObject } from '../../kubernetes/client.js';
import { sandboxMarker } from '../../kubernetes/marker.js';
import { accepts, freePorts } from '../ports.js';
import { startProcess, startedWhole, tail, type StopStack } from '../processes.js';

export interface ControlPlaneOptions {
  /** State folder; everything in it is 0600. */
  readonly dir: string;
  readonly tools: Readonly<Record<'etcd' | 'kube-apiserver' | 'kube-controller-manager', string>>;
  /** PEM file. Who comes with a certificate of it is the user that its common name says. */
  readonly clientCaFile?: string;
}

export interface ControlPlane {
  readonly adminKubeconfig: string;
  readonly admin: KubernetesClient;
  /** Random id of this sandbox; the cluster carries it as its marker. */
  readonly markerId: string;
  /** A kubeconfig with a token of that service account: only what RBAC allows it. */
  kubeconfigFor(namespace: string, serviceAccount: string): Promise<string>;
  /** For a person who misses pods: whether the controllers run, and what they said last. */
  whyNoPods(): string;
  stop(): Promise<void>;
}

/** etcd, kube-apiserver and kube-controller-manager on loopback, RBAC on, with the sandbox's marker. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  return startedWhole((stack) => start(options, stack));
}

async function start({ dir, tools, clientCaFile }: ControlPlaneOptions, stack: StopStack): Promise<ControlPlane> {
  const [etcdPort, peerPort, port, managerPort] = (await freePorts(4)) as [number, number, number, number];
  const token = randomBytes(24).toString('hex');
  const files = await writeFiles(dir, token);
  const server = `https://127.0.0.1:${port}`;
  stack.push(
    await startProcess({
      name: 'etcd',
      command: tools.etcd,
      args: [
        `--data-dir=${join(dir, 'etcd')}`,
        `--listen-client-urls=http://127.0.0.1:${etcdPort}`,
        `--advertise-client-urls=http://127.0.0.1:${etcdPort}`,
        `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
        '--unsafe-no-fsync',
        '--log-level=error',
      ],
      env: {},
      logFile: join(dir, 'etcd.log'),
      ready: () => accepts(etcdPort),
    }),
  );
  stack.push(
    await startProcess({
      name: 'kube-apiserver',
      command: tools['kube-apiserver'],
      args: [
        `--etcd-servers=http://127.0.0.1:${etcdPort}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        `--cert-dir=${dir}`,
        '--authorization-mode=RBAC',
        '--anonymous-auth=false',
        `--token-auth-file=${files.tokens}`,
        `--service-account-issuer=${server}`,
        `--service-account-signing-key-file=${files.serviceAccountKey}`,
        `--service-account-key-file=${files.serviceAccountKey}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        '--disable-admission-plugins=ServiceAccount',
        '--endpoint-reconciler-type=none',
        ...(clientCaFile ? [`--client-ca-file=${clientCaFile}`] : []),
      ],
      env: {},
      logFile: join(dir, 'kube-apiserver.log'),
      ready: () => answers(`${server}/readyz`, token),
    }),
  );
  const ca = await readFile(join(dir, 'apiserver.crt'), 'utf8');
  const adminKubeconfig = await writeKubeconfig(join(dir, 'admin.kubeconfig'), { server, ca, token });
  const controllerManagerLog = join(dir, 'kube-controller-manager.log');
  const controllerManager = stack.push(
    await startProcess({
      name: 'kube-controller-manager',
      command: tools['kube-controller-manager'],
      args: [
        `--kubeconfig=${adminKubeconfig}`,
        '--leader-elect=false',
        '--bind-address=127.0.0.1',
        `--secure-port=${managerPort}`,
        `--cert-dir=${join(dir, 'controller-manager')}`,
        '--controllers=deployment,replicaset,statefulset,daemonset,namespace,serviceaccount-controller,garbage-collector-controller',
        '--concurrent-deployment-syncs=2',
      ],
      env: {},
      logFile: controllerManagerLog,
      // Not only that something listens there: without it nothing would ever make a pod.
      ready: () => answers(`https://127.0.0.1:${managerPort}/healthz`),
    }),
  );
  const admin = await createKubernetesClient({ kubeconfig: adminKubeconfig });
  const markerId = randomBytes(8).toString('hex');
  await mark(admin, markerId);
  let controllersEnded: number | string | undefined;
  void controllerManager.exited.then((how) => (controllersEnded = how));
  return {
    adminKubeconfig,
    admin,
    markerId,
    async kubeconfigFor(namespace, serviceAccount) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
      const request = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 86_400 },
      };
      const { status } = await admin.create<KubernetesObject & { status?: { token: string } }>(path, request);
      const file = join(dir, `${namespace}-${serviceAccount}.kubeconfig`);
      return writeKubeconfig(file, { server, ca, token: status!.token });
    },
    whyNoPods: () =>
      [
        controllersEnded === undefined ? 'the controllers run' : `the controllers ended (${controllersEnded})`,
        tail(controllerManagerLog),
      ].join('\n'),
    stop: () => stack.stop(),
  };
}

async function writeFiles(dir: string, token: string): Promise<{ tokens: string; serviceAccountKey: string }> {
  await mkdir(join(dir, 'controller-manager'), { recursive: true, mode: 0o700 });
  const [tokens, serviceAccountKey] = [join(dir, 'tokens.csv'), join(dir, 'service-account.key')];
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(tokens, `${token},sandbox-admin,sandbox-admin,system:masters\n`, { mode: 0o600 });
  await writeFile(serviceAccountKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { tokens, serviceAccountKey };
}

async function writeKubeconfig(
  file: string,
  { server, ca, token }: { server: string; ca: string; token: string },
): Promise<string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'sandbox',
    clusters: [
      { name: 'sandbox', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: 'sandbox', user: { token } }],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user: 'sandbox' } }],
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  await chmod(file, 0o600);
  return file;
}

/** The server's certificate is its own and new: it is trusted from here on by what it wrote to its folder. */
function answers(url: string, token?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { rejectUnauthorized: false, headers: token ? { authorization: `Bearer ${token}` } : {} };
    https
      .get(url, options, (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      })
      .once('error', () => resolve(false));
  });
}

async function mark(admin: KubernetesClient, id: string): Promise<void> {
  const { namespace, name } = sandboxMarker;
  await admin.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const marker: KubernetesObject & { data: { id: string } } = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { id },
  };
  await admin.create(`/api/v1/namespaces/${namespace}/configmaps`, marker);
}
