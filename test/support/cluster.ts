import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { createKubernetesClient, type KubernetesClient, type KubernetesObject } from '../../src/kubernetes/client.js';
import { startControlPlane } from '../../src/sandbox/kubernetes/control-plane.js';
import { startNodeAgent, type Image, type NodeAgent } from '../../src/sandbox/kubernetes/node-agent.js';
import { applyManifest } from '../../src/sandbox/manifests.js';
import { StopStack } from '../../src/sandbox/processes.js';
import { findTools } from '../../src/sandbox/tools/index.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { eventually } from './eventually.js';
import { filesOf, type Place } from './key-scan.js';

/** A real control plane and node agent, and the service account of deploy/rbac.yaml. */
export interface Cluster {
  readonly dir: string;
  /** The test's own hands. */
  readonly admin: KubernetesClient;
  /** What the product gets: the rotation worker's service account, allowed what deploy/rbac.yaml allows it. */
  readonly client: KubernetesClient;
  /** The service account's kubeconfig, which `client` works with. */
  readonly kubeconfig: string;
  /** With the token of another service account, which is there. */
  clientOf(namespace: string, serviceAccount: string): Promise<KubernetesClient>;
  readonly agent: NodeAgent;
  /** Programs of pods; a test adds its own. */
  readonly images: Record<string, Image>;
  /** What rests on disk of everything that the API server was ever given. */
  etcdFiles(): Promise<readonly Place[]>;
  stop(): Promise<void>;
}

export async function startCluster(clientCa?: KeyPair): Promise<Cluster> {
  const dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
  const stack = new StopStack();
  stack.push({ stop: () => rm(dir, { recursive: true, force: true }) });
  try {
    const clientCaFile = join(dir, 'client-ca.pem');
    if (clientCa) await writeFile(clientCaFile, clientCa.certificate.pem);
    const plane = stack.push(
      await startControlPlane({
        dir: join(dir, 'kubernetes'),
        tools: await findTools(),
        ...(clientCa && { clientCaFile }),
      }),
    );
    const { admin } = plane;
    const images = workerImages(dir);
    await mkdir(join(dir, 'used'));
    const agent = stack.push(await startNodeAgent({ admin, images, names: {}, dir: join(dir, 'pods') }));
    await createNamespace(admin, 'temporal-booking');
    await applyManifest(admin, 'deploy/rbac.yaml');
    await applyManifest(admin, 'deploy/admission-policy.yaml');
    const kubeconfig = await plane.kubeconfigFor('cert-rotation', 'cert-rotation');
    const client = await createKubernetesClient({ kubeconfig });
    await authorized(client, { namespace: 'temporal-booking', secret: 'temporal-booking-tls' });
    return {
      dir,
      admin,
      client,
      kubeconfig,
      clientOf: async (...account) => createKubernetesClient({ kubeconfig: await plane.kubeconfigFor(...account) }),
      agent,
      images,
      etcdFiles: () => filesOf(join(dir, 'kubernetes', 'etcd'), () => false),
      stop: () => stack.stop(),
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** The certificate that a pod of the images `worker` and `reloading-worker` uses. */
export const certificateFile = ({ dir }: Pick<Cluster, 'dir'>, namespace: string, pod: string): string =>
  join(dir, 'used', `${namespace}_${pod}`);

/** They say by a file which certificate they use, and end when this process does, however it ends. */
function workerImages(dir: string): Record<string, Image> {
  const use = 'cp "$TLS_CERT" "$USED.new" && mv "$USED.new" "$USED"';
  const image = (script: string): Image => ({
    command: 'sh',
    args: ['-c', `USED="$FOLDER/$(basename "$HOME")"; ${script}`],
    env: { FOLDER: join(dir, 'used') },
  });
  return {
    worker: image(`${use} && exec cat`),
    'reloading-worker': image(`while kill -0 $PPID && ${use}; do sleep 0.1; done`),
  };
}

export async function createNamespace(admin: KubernetesClient, name: string): Promise<void> {
  await admin.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

/** Waits until the API server's authorizer knows of the Roles that were just written. */
export function authorized(
  client: KubernetesClient,
  { namespace, secret }: Pick<Allowed, 'namespace' | 'secret'>,
): Promise<void> {
  return untilAllowed(client, { namespace, verb: 'get', resource: 'secrets', name: secret }, true);
}

/** What a SelfSubjectAccessReview asks about. */
export interface Access {
  readonly namespace: string;
  readonly verb: string;
  readonly resource: string;
  readonly name?: string;
}

/** The authorizer follows Roles by a watch of its own, some milliseconds late, or more on a machine that does something else, too. */
export async function untilAllowed(
  client: KubernetesClient,
  resourceAttributes: Access,
  allowed: boolean,
): Promise<void> {
  const review: KubernetesObject & { readonly spec: object; readonly status?: { readonly allowed: boolean } } = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  };
  const ask = () => client.create(`/apis/${review.apiVersion}/selfsubjectaccessreviews`, review);
  await eventually(async () => ((await ask()).status?.allowed ?? false) === allowed);
}

export interface Allowed {
  readonly namespace: string;
  readonly secret: string;
  /** Plural resource and name of what may be patched. */
  readonly workload?: { readonly resource: string; readonly name: string };
  /** Rollout `scale`. */
  readonly scale?: boolean;
}

interface Role extends KubernetesObject {
  readonly rules?: readonly { readonly resources: readonly string[]; readonly resourceNames?: readonly string[] }[];
}

/** Copies the Roles and RoleBindings of target booking-worker for another target, as their files in deploy/ say one does. */
export async function allow(admin: KubernetesClient, { namespace, secret, workload, scale }: Allowed): Promise<void> {
  const files = ['deploy/rbac.yaml', ...(scale ? ['deploy/rbac-scale.yaml'] : [])];
  const documents = (await Promise.all(files.map(rolesIn))).flat();
  for (const { rules, ...copied } of documents.filter(({ metadata }) => metadata?.namespace === 'temporal-booking')) {
    const copy = { ...copied, metadata: { ...copied.metadata, namespace } };
    const resource = copy.kind === 'Role' ? 'roles' : 'rolebindings';
    const named = {
      secrets: { resourceNames: [secret] },
      deployments: workload && { resources: [workload.resource], resourceNames: [workload.name] },
      'deployments/scale': workload && { resources: [`${workload.resource}/scale`], resourceNames: [workload.name] },
    };
    const adapted = rules
      ?.filter((rule) => !rule.resourceNames || rule.resources[0] === 'secrets' || workload)
      .map((rule) => (rule.resourceNames ? { ...rule, ...named[rule.resources[0] as keyof typeof named] } : rule));
    const object = adapted ? { ...copy, rules: adapted } : copy;
    await admin.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/${resource}`, object);
  }
}

async function rolesIn(file: string): Promise<readonly Role[]> {
  return parseAllDocuments(await readFile(file, 'utf8')).map((one) => one.toJS() as Role);
}
