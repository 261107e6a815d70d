import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { RotationError, type FailureType } from '../domain/failures.js';

/**
 * The Kubernetes API as this system uses it: paths and plain objects, conditional writes, and the API server's own clock.
 * Throws RotationError: KubernetesForbidden, KubernetesConflict, KubernetesUnavailable; ApiError for any other status.
 */
export interface KubernetesClient {
  /** Undefined for 404. */
  get<T extends KubernetesObject>(path: string): Promise<T | undefined>;
  /** Each with its kind and apiVersion, which the server says only of the list. */
  list<T extends KubernetesObject>(path: string): Promise<readonly T[]>;
  create<T extends KubernetesObject>(path: string, object: T): Promise<T>;
  /** PUT; the object's resourceVersion is the condition. */
  replace<T extends KubernetesObject>(path: string, object: T): Promise<T>;
  /** Server-side apply; a resourceVersion or uid in the object is a condition. */
  apply<T extends KubernetesObject>(path: string, object: T, fieldManager: string): Promise<T>;
  /** JSON patch (RFC 6902). */
  patch<T extends KubernetesObject>(
    path: string,
    operations: readonly JsonPatchOperation[],
    fieldManager?: string,
  ): Promise<T>;
  /** No error when it is not there. */
  delete(path: string): Promise<void>;
  /** The API server's clock, now; whole seconds, rounded down. */
  time(): Promise<Date>;
}

export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** Of several owners, the one that manages the object. */
  readonly controller?: boolean;
}

/** Which fields a manager owns, and when it last changed one of them (server-side apply). */
export interface ManagedFields {
  readonly manager?: string;
  readonly subresource?: string;
  /** RFC 3339, whole seconds, by the API server's clock. */
  readonly time?: string;
  /** A set of paths: `f:data` → `f:tls.crt` → {}. */
  readonly fieldsV1?: { readonly [field: string]: object };
}

export type JsonPatchOperation =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** An answer of the API server that is no success and has no failure type of its own. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

interface Access {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** From a kubeconfig file and context, or what the environment gives: KUBECONFIG, ~/.kube/config, the pod's service account. */
export async function createKubernetesClient({ kubeconfig, context }: Access): Promise<KubernetesClient> {
  // It brings a class for each of Kubernetes' types, which takes a second of CPU: commands that need no cluster go without.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  if (context) config.setCurrentContext(context);
  const send = sender(config);
  const body = async <T>(call: Call): Promise<T> => JSON.parse((await send(call)).text) as T;
  return {
    get: <T extends KubernetesObject>(path: string) => unless404(body<T>({ method: 'GET', path })),
    list: async <T extends KubernetesObject>(path: string) => {
      const { kind, apiVersion, items } = await body<{ kind: string; apiVersion: string; items: T[] }>({
        method: 'GET',
        path,
      });
      return items.map((item) => ({ kind: kind.replace(/List$/, ''), apiVersion, ...item }));
    },
    create: (path, object) => body({ method: 'POST', path, body: object }),
    replace: (path, object) => body({ method: 'PUT', path, body: object }),
    apply: (path, object, fieldManager) =>
      body({
        method: 'PATCH',
        path: `${path}?fieldManager=${encodeURIComponent(fieldManager)}&force=true`,
        body: object,
        contentType: 'application/apply-patch+yaml',
      }),
    patch: (path, operations, fieldManager = userAgent) =>
      body({
        method: 'PATCH',
        path: `${path}?fieldManager=${encodeURIComponent(fieldManager)}`,
        body: operations,
        contentType: 'application/json-patch+json',
      }),
    delete: async (path) => void (await unless404(send({ method: 'DELETE', path }))),
    time: async () => (await send({ method: 'GET', path: '/version' })).at,
  };
}

async function unless404<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

interface Answer {
  readonly text: string;
  /** The server's clock when it answered. */
  readonly at: Date;
}

const deadlineMs = 15_000;
/** Also the field manager of what is not written for a purpose of its own. */
const userAgent = 'cert-rotation';

function sender(config: KubeConfig): (call: Call) => Promise<Answer> {
  const cluster = config.getCurrentCluster();
  if (!cluster?.server) throw new RotationError('KubernetesUnavailable', 'No Kubernetes cluster is configured.');
  const keepAlive = new https.Agent({ keepAlive: true, maxSockets: 8 });
  return async (call) => {
    const options = await credentials(config);
    // The agent keeps connections apart by their TLS material: a renewed client certificate gets a new one.
    const agent = cluster.proxyUrl ? options.agent : keepAlive;
    // A server's address may have a path of its own: proxies in front of many clusters do.
    const url = new URL(cluster.server.replace(/\/$/, '') + call.path);
    const { status, text, at } = await exchange(url, { ...options, method: call.method, agent }, call);
    if (status >= 200 && status < 300) return { text, at };
    throw translated(status, call, text);
  };
}

/** TLS material and headers of the kubeconfig's user, asked for anew each time: tokens and certificates are renewed. */
async function credentials(config: KubeConfig): Promise<https.RequestOptions> {
  const options: https.RequestOptions = { headers: { accept: 'application/json', 'user-agent': userAgent } };
  try {
    await config.applyToHTTPSOptions(options);
    return options;
  } catch (error) {
    // What a credential plugin says may be a secret.
    const user = config.getCurrentUser()?.name;
    const reason = (error as NodeJS.ErrnoException).code ?? 'its plugin failed';
    throw new RotationError('KubernetesUnavailable', `No credentials for the kubeconfig user ${user}: ${reason}.`);
  }
}

function exchange(
  url: URL,
  options: https.RequestOptions,
  call: Call,
): Promise<{ status: number; text: string; at: Date }> {
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  return new Promise((resolve, reject) => {
    const unavailable = (error: Error) =>
      reject(new RotationError('KubernetesUnavailable', `${call.method} ${url.pathname}: ${error.message}.`));
    const request = https.request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', unavailable);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          at: new Date(response.headers.date ?? Date.now()),
        }),
      );
    });
    request.setTimeout(deadlineMs, () => request.destroy(new Error(`no answer in ${deadlineMs} ms`)));
    request.on('error', unavailable);
    if (body !== undefined) request.setHeader('content-type', call.contentType ?? 'application/json');
    request.end(body);
  });
}

/** The server's message may quote what was sent, so that of a rejected Secret is not passed on. */
function translated(status: number, call: Call, text: string): Error {
  const path = call.path.split('?')[0]!;
  const reason = statusField(text, path.includes('/secrets') ? 'reason' : 'message');
  const message = `${call.method} ${path}: ${status} ${reason}`.trim();
  const type = failureOf(status);
  return type ? new RotationError(type, `${message}.`) : new ApiError(status, message);
}

function failureOf(status: number): FailureType | undefined {
  if (status === 401 || status === 403) return 'KubernetesForbidden';
  if (status === 409) return 'KubernetesConflict';
  if (status === 429 || status >= 500) return 'KubernetesUnavailable';
  return undefined;
}

/** A field of the Status object (kubernetes.io/docs/reference/kubernetes-api/common-definitions/status). */
function statusField(text: string, field: 'message' | 'reason'): string {
  try {
    return (JSON.parse(text) as { message?: string; reason?: string })[field] ?? '';
  } catch {
    return '';
  }
}
