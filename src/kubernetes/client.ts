import https from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { RotationError, type FailureType } from '../domain/failures.js';

/**
 * The Kubernetes API as this system uses it: paths and plain objects, conditional writes, and the API server's own clock.
 * Throws RotationError: KubernetesForbidden, KubernetesConflict, KubernetesUnavailable; ApiError for any other status.
 */
export interface KubernetesClient {
  /** Undefined for 404. */
  get<T extends KubernetesObject>(path: string): Promise<T | undefined>;
  list<T extends KubernetesObject>(path: string): Promise<readonly T[]>;
  create<T extends KubernetesObject>(path: string, object: T): Promise<Written<T>>;
  /** PUT; the object's resourceVersion is the condition. */
  replace<T extends KubernetesObject>(path: string, object: T): Promise<Written<T>>;
  /** Server-side apply; a resourceVersion in the object is a condition. */
  apply<T extends KubernetesObject>(path: string, object: T, fieldManager: string): Promise<Written<T>>;
  /** JSON patch (RFC 6902). */
  patch<T extends KubernetesObject>(path: string, operations: readonly JsonPatchOperation[]): Promise<Written<T>>;
  /** No error when it is not there. */
  delete(path: string): Promise<void>;
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
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[];
  readonly managedFields?: readonly ManagedFields[];
}

/** Which fields a manager owns, and when it last changed one of them (server-side apply). */
export interface ManagedFields {
  readonly manager?: string;
  /** RFC 3339, whole seconds, by the API server's clock. */
  readonly time?: string;
  /** A set of paths: `f:data` → `f:tls.crt` → {}. */
  readonly fieldsV1?: { readonly [field: string]: object };
}

export type JsonPatchOperation =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export interface Written<T> {
  readonly object: T;
  /** The API server's clock when it answered (RFC 3339, whole seconds). */
  readonly at: string;
}

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
export function createKubernetesClient({ kubeconfig, context }: Access): KubernetesClient {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  if (context) config.setCurrentContext(context);
  const send = sender(config);
  return {
    async get<T extends KubernetesObject>(path: string) {
      try {
        return (await send<T>({ method: 'GET', path })).object;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      }
    },
    async list<T extends KubernetesObject>(path: string) {
      return (await send<{ items: T[] }>({ method: 'GET', path })).object.items;
    },
    create: (path, object) => send({ method: 'POST', path, body: object }),
    replace: (path, object) => send({ method: 'PUT', path, body: object }),
    apply: (path, object, fieldManager) =>
      send({
        method: 'PATCH',
        path: `${path}?fieldManager=${encodeURIComponent(fieldManager)}&force=true`,
        body: object,
        contentType: 'application/apply-patch+yaml',
      }),
    patch: (path, operations) =>
      send({ method: 'PATCH', path, body: operations, contentType: 'application/json-patch+json' }),
    async delete(path) {
      try {
        await send({ method: 'DELETE', path });
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

type Send = <T>(call: Call) => Promise<Written<T>>;

const deadlineMs = 15_000;

function sender(config: KubeConfig): Send {
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new RotationError('KubernetesUnavailable', 'No Kubernetes cluster is configured.');
  const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
  return async <T>(call: Call) => {
    const options: https.RequestOptions = { method: call.method, agent, headers: { accept: 'application/json' } };
    await config.applyToHTTPSOptions(options);
    const { status, text, at } = await exchange(
      new URL(call.path, server),
      { ...options, agent: agentOf(options, agent) },
      call,
    );
    if (status >= 200 && status < 300) return { object: JSON.parse(text) as T, at };
    throw translated(status, call, text);
  };
}

/** The kubeconfig's TLS material belongs to the agent that keeps connections; one agent serves all calls. */
function agentOf(options: https.RequestOptions, agent: https.Agent): https.Agent {
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  Object.assign(agent.options, { ca, cert, key, servername }, rejectUnauthorized === false && { rejectUnauthorized });
  return agent;
}

function exchange(
  url: URL,
  options: https.RequestOptions,
  call: Call,
): Promise<{ status: number; text: string; at: string }> {
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
          at: new Date(response.headers.date ?? Date.now()).toISOString(),
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
  const reason = path.includes('/secrets') ? statusReason(text) : statusMessage(text);
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

function statusMessage(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message ?? '');
  } catch {
    return '';
  }
}

function statusReason(text: string): string {
  try {
    return String((JSON.parse(text) as { reason?: unknown }).reason ?? '');
  } catch {
    return '';
  }
}
