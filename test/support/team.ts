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

/** A team with a Temporal namespace and a CA of its own, and workers in a Kubernetes namespace that has the authority's name. */
export interface Team {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly authority: string;
  readonly target: string;
}

export const orders: Team = teamOf('orders');

export interface AddedTeam {
  /** Default: the configuration that the sandbox's rotation worker follows. */
  readonly configFile?: string;
  readonly replicas?: number;
  /** Workers count as ready at once, rather than five seconds after their start. */
  readonly readyAtOnce?: boolean;
}

export function teamOf(name: string): Team {
  return { namespace: `${name}.sdvdw`, taskQueue: name, authority: name, target: `${name}-worker` };
}

/** API paths of what the team's workers are made of. */
export const secretPath = ({ authority, target }: Team): string =>
  `/api/v1/namespaces/${authority}/secrets/${target}-tls`;
export const deploymentPath = ({ authority, target }: Team): string =>
  `/apis/apps/v1/namespaces/${authority}/deployments/${target}`;

const root = new URL('../../', import.meta.url);

/** Adds it to a sandbox that runs, and to a configuration. */
export async function addTeam(sandbox: Sandbox, team: Team, how: AddedTeam = {}): Promise<void> {
  const { gateway, store, kubernetes } = sandbox;
  const { configFile = sandbox.configFile } = how;
  await registerNamespace(sandbox, team.namespace);
  const ca = await aCa({ organization: team.authority });
  const trust = { bundlePem: ca.certificate.pem, filters: [] };
  await gateway.setTrust(team.namespace, trust, { immediate: true });
  store.create(team.namespace, newSpec(team.authority, trust));
  await configure(sandbox, team, configFile);
  await keepFirstCa(await openKeystore(await loadConfig(configFile)), { authority: team.authority, ca });
  const leaf = await aLeaf(ca, { commonName: team.target });
  await deploy(sandbox, team, { 'tls.crt': leaf.certificate.pem, 'tls.key': leaf.key.reveal() }, how);
  await eventually(async () => isSettled((await kubernetes.admin.get<Workload>(deploymentPath(team)))!), 60_000);
}

/** Known to every part of the server once a call about it is answered. */
export async function registerNamespace({ temporal }: Sandbox, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const workflowExecutionRetentionPeriod = { seconds: 86_400 as never };
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const known = () => connection.workflowService.listWorkflowExecutions({ namespace }).catch(() => undefined);
    await eventually(known, 60_000);
  } finally {
    await connection.close();
  }
}

async function configure({ gateway }: Sandbox, team: Team, configFile: string): Promise<void> {
  type Sections = Record<'namespaces' | 'authorities' | 'targets', object>;
  const config = parse(await readFile(configFile, 'utf8')) as Sections;
  const { namespace, authority, target, taskQueue } = team;
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
        subject: { organization: authority },
        lifetime: '365d',
        namespaces: [namespace],
        approval: { mode: 'manual', deadline: '5d', remindEvery: '1d' },
      },
    },
    targets: {
      [target]: {
        authority,
        namespace: authority,
        secret: `${target}-tls`,
        subject: { organization: authority, commonName: target },
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
async function deploy(
  { kubernetes: { admin }, gateway }: Sandbox,
  { namespace, authority, target, taskQueue }: Team,
  files: Readonly<Record<string, string>>,
  { replicas = 2, readyAtOnce = false }: AddedTeam,
) {
  const secret = `${target}-tls`;
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
  worker.spec.replicas = replicas;
  worker.spec.template.spec.containers[0].env = Object.entries(env).map(([name, value]) => ({ name, value }));
  if (readyAtOnce) delete worker.spec.template.spec.containers[0].readinessProbe;
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
  readonly spec: {
    replicas: number;
    readonly template: { readonly spec: { readonly containers: [{ env: object; readinessProbe?: object }] } };
  };
}

async function apply(admin: KubernetesClient, path: string, object: KubernetesObject): Promise<void> {
  await admin.apply(`/${path}/${object.metadata!.name}`, object, 'sandbox');
}
