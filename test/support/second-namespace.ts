import { readFile, writeFile } from 'node:fs/promises';
import { Connection } from '@temporalio/client';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { openKeystore } from '../../src/cli/keystore.js';
import { loadConfig } from '../../src/config/load.js';
import { keepFirstCa } from '../../src/keystore/first-ca.js';
import type { KubernetesClient, KubernetesObject } from '../../src/kubernetes/client.js';
import { newSpec } from '../../src/sandbox/cloud/store.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { isSettled } from '../../src/targets/kubernetes/rollout.js';
import type { Workload } from '../../src/targets/kubernetes/objects.js';
import { aCa, aLeaf } from './certificates.js';
import { eventually } from './eventually.js';

/** Another team's: a Temporal namespace with a CA of its own, and two workers in a Kubernetes namespace of its own. */
export const orders = {
  namespace: 'orders.sdvdw',
  taskQueue: 'orders',
  authority: 'orders',
  target: 'orders-worker',
} as const;

const secret = 'orders-worker-tls';
const root = new URL('../../', import.meta.url);
const deployment = `/apis/apps/v1/namespaces/${orders.authority}/deployments/${orders.target}`;

/** Adds it to a sandbox that runs, and to the configuration that its rotation worker follows. */
export async function addOrders(sandbox: Sandbox): Promise<void> {
  const { gateway, store, kubernetes } = sandbox;
  await registerNamespace(sandbox);
  const ca = await aCa({ organization: 'Orders' });
  const trust = { bundlePem: ca.certificate.pem, filters: [] };
  await gateway.setTrust(orders.namespace, trust, { immediate: true });
  store.create(orders.namespace, newSpec(orders.authority, trust));
  await configure(sandbox);
  await keepFirstCa(await openKeystore(await loadConfig(sandbox.configFile)), { authority: orders.authority, ca });
  const leaf = await aLeaf(ca, { commonName: orders.target });
  await deploy(sandbox, { 'tls.crt': leaf.certificate.pem, 'tls.key': leaf.key.reveal() });
  await eventually(async () => isSettled((await kubernetes.admin.get<Workload>(deployment))!), 60_000);
}

export const ordersSecret = `/api/v1/namespaces/${orders.authority}/secrets/${secret}`;

/** Known to every part of the server once a call about it is answered. */
async function registerNamespace({ temporal }: Sandbox): Promise<void> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const { namespace } = orders;
    const workflowExecutionRetentionPeriod = { seconds: 86_400 as never };
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const known = () => connection.workflowService.listWorkflowExecutions({ namespace }).catch(() => undefined);
    await eventually(known, 60_000);
  } finally {
    await connection.close();
  }
}

async function configure({ configFile, gateway }: Sandbox): Promise<void> {
  type Sections = Record<'namespaces' | 'authorities' | 'targets', object>;
  const config = parse(await readFile(configFile, 'utf8')) as Sections;
  const { namespace, authority, target, taskQueue } = orders;
  const added: Sections = {
    namespaces: {
      [namespace]: {
        endpoints: [gateway.address],
        serverName: gateway.serverNameOf(namespace),
        serverRootsFile: gateway.caFile,
        filters: [{ commonName: target }],
      },
    },
    authorities: {
      [authority]: {
        issuer: { kind: 'builtin', algorithm: 'P-256' },
        subject: { organization: 'Orders' },
        lifetime: '365d',
        namespaces: [namespace],
        approval: { mode: 'manual', deadline: '5d', remindEvery: '1d' },
      },
    },
    targets: {
      [target]: {
        authority,
        namespace: authority,
        secret,
        subject: { organization: 'Orders', commonName: target },
        lifetime: '30d',
        rollout: 'rolling',
        taskQueues: [{ namespace, name: taskQueue }],
      },
    },
  };
  const sections = Object.keys(added) as (keyof Sections)[];
  const merged = Object.fromEntries(sections.map((name) => [name, { ...config[name], ...added[name] }]));
  await writeFile(configFile, stringify({ ...config, ...merged }));
}

/** The article's Deployment and the Role of its target, with other names. */
async function deploy({ kubernetes: { admin }, gateway }: Sandbox, files: Readonly<Record<string, string>>) {
  const { namespace, authority, target, taskQueue } = orders;
  const metadata = { name: authority };
  await admin.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  const tls: KubernetesObject & { type: string; stringData: object } = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: secret, namespace: authority },
    stringData: files,
  };
  await admin.create(`/api/v1/namespaces/${authority}/secrets`, tls);
  const roles = renamed(await readFile(new URL('deploy/rbac.yaml', root), 'utf8'));
  for (const object of roles.filter((one) => one.metadata?.namespace === authority))
    await apply(
      admin,
      `apis/rbac.authorization.k8s.io/v1/namespaces/${authority}/${object.kind!.toLowerCase()}s`,
      object,
    );
  const [worker] = renamed(await readFile(new URL('examples/article/deployment.yaml', root), 'utf8')) as [Workers];
  const env = {
    TEMPORAL_HOST_URL: gateway.address,
    TEMPORAL_TASK_QUEUE: taskQueue,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_MTLS_TLS_CERT: '/etc/certs/tls.crt',
    TEMPORAL_MTLS_TLS_KEY: '/etc/certs/tls.key',
    SANDBOX_SERVER_NAME: gateway.serverNameOf(namespace),
  };
  worker.spec.replicas = 2;
  worker.spec.template.spec.containers[0].env = Object.entries(env).map(([name, value]) => ({ name, value }));
  await apply(admin, `apis/apps/v1/namespaces/${authority}/deployments`, worker);

  function renamed(text: string): readonly KubernetesObject[] {
    const theirs = text
      .replaceAll('temporal-booking-worker', target)
      .replaceAll('temporal-booking-tls', secret)
      .replaceAll('namespace: temporal-booking', `namespace: ${authority}`);
    return parseAllDocuments(theirs).map((document) => document.toJS() as KubernetesObject);
  }
}

interface Workers extends KubernetesObject {
  readonly spec: { replicas: number; readonly template: { readonly spec: { readonly containers: [{ env: object }] } } };
}

async function apply(admin: KubernetesClient, path: string, object: KubernetesObject): Promise<void> {
  await admin.apply(`/${path}/${object.metadata!.name}`, object, 'sandbox');
}
