import { setTimeout as wait } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import { RotationError } from '../domain/failures.js';
import { sameFilters } from '../domain/filters.js';
import { readCertificates } from '../x509/read.js';
import type { CloudChannel } from './channel.js';
import type { ChangeOptions, Cloud, NamespaceTrust, TrustChange, WantedTrust } from './cloud.js';
import { cloudFailure, isLostAnswer, isLostRace, isNothingToChange, isRpcError } from './failures.js';
import { readTrust, restOf, withTrust } from './namespace-spec.js';
import { operationId } from './operation-id.js';
import { bytesField, contentOf, fieldsOf, messageOf } from './wire.js';

const {
  GetNamespaceRequest,
  GetNamespaceResponse,
  UpdateNamespaceResponse,
  GetAsyncOperationRequest,
  GetAsyncOperationResponse,
} = proto.temporal.api.cloud.cloudservice.v1;
const { State } = proto.temporal.api.cloud.operation.v1.AsyncOperation;
type AsyncOperation = proto.temporal.api.cloud.operation.v1.IAsyncOperation;

/** Field numbers of UpdateNamespaceRequest, and of the spec in GetNamespaceResponse.namespace. */
const update = { namespace: 1, spec: 2, resourceVersion: 3, asyncOperationId: 4 } as const;
const [responseNamespace, namespaceSpec] = [1, 3];

/** A lost race is read and decided again this often before the activity fails and is retried. */
const attempts = 5;
const operationDeadlineMs = 30 * 60_000;
const badEnds: readonly (number | null | undefined)[] = [
  State.STATE_FAILED,
  State.STATE_CANCELLED,
  State.STATE_REJECTED,
];

interface NamespaceRead {
  readonly trust: NamespaceTrust;
  /** The spec's bytes, as the server sent them. */
  readonly spec: Uint8Array;
}

/** Cloud `ops-api`: Temporal's Cloud Operations API (docs.temporal.io/ops). */
export function createOpsApiCloud(channel: CloudChannel): Cloud {
  async function call(what: string, method: string, request: Uint8Array): Promise<Uint8Array> {
    try {
      return await channel.call(method, request);
    } catch (error) {
      throw isRpcError(error) ? cloudFailure(what, error) : error;
    }
  }

  async function read(namespace: string): Promise<NamespaceRead> {
    const request = GetNamespaceRequest.encode({ namespace }).finish();
    const response = await call(`Reading ${namespace}`, 'GetNamespace', request);
    const found = GetNamespaceResponse.decode(response).namespace;
    if (!found) throw new RotationError('CloudNotFound', `Temporal Cloud answers no namespace ${namespace}.`);
    const spec =
      contentOf(fieldsOf(contentOf(fieldsOf(response), responseNamespace)!), namespaceSpec) ?? new Uint8Array();
    const { bundlePem, filters, enabled } = readTrust(spec);
    const address = found.endpoints?.mtlsGrpcAddress;
    return {
      spec,
      trust: {
        namespace,
        resourceVersion: found.resourceVersion ?? '',
        bundle: parseBundle(namespace, bundlePem),
        filters,
        endpoints: address ? [address] : [],
        ...(found.asyncOperationId && { operationInProgress: found.asyncOperationId }),
        mtlsEnabled: enabled,
      },
    };
  }

  async function operation(id: string): Promise<AsyncOperation | undefined> {
    try {
      const answer = await channel.call(
        'GetAsyncOperation',
        GetAsyncOperationRequest.encode({ asyncOperationId: id }).finish(),
      );
      return GetAsyncOperationResponse.decode(answer).asyncOperation ?? undefined;
    } catch (error) {
      if (!isRpcError(error)) throw error;
      if (error.code === status.NOT_FOUND) return undefined;
      throw cloudFailure(`Reading operation ${id}`, error);
    }
  }

  /** Waits until the operation ends, polling at its own check_duration. */
  async function ended(id: string, { onProgress, signal }: ChangeOptions): Promise<AsyncOperation> {
    const deadline = Date.now() + operationDeadlineMs;
    for (;;) {
      const found = await operation(id);
      if (!found) throw new RotationError('CloudWriteNotEffective', `Temporal Cloud does not know operation ${id}.`);
      if (found.state === State.STATE_FULFILLED || badEnds.includes(found.state)) return found;
      if (Date.now() > deadline) throw new RotationError('CloudBusy', `Operation ${id} has not ended in 30 minutes.`);
      await patiently(checkDurationMs(found), `operation ${id} is ${State[found.state ?? 0]}`, onProgress, signal);
    }
  }

  async function changeTrust(
    namespace: string,
    decide: (current: NamespaceTrust) => WantedTrust,
    options: ChangeOptions,
  ): Promise<TrustChange> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const before = await read(namespace);
      if (before.trust.operationInProgress) {
        await ended(before.trust.operationInProgress, options);
        continue;
      }
      const wanted = decide(before.trust);
      if (!before.trust.mtlsEnabled || wanted.bundle.length === 0) {
        throw new RotationError(
          'WouldLockOut',
          `${namespace} would be left without mTLS or without a CA; nothing was changed.`,
        );
      }
      if (isAs(before.trust, wanted)) return { changed: false, before: before.trust, after: before.trust };
      const id = await submit(before, wanted, options);
      if (id === undefined) continue;
      await fulfilled(namespace, id, options);
      const after = await read(namespace);
      prove(before, after, wanted);
      return { changed: true, operationId: id, before: before.trust, after: after.trust };
    }
    throw new RotationError('CloudConflict', `${namespace} changed ${attempts} times while it was being changed.`);
  }

  /** Sends the change; the id of its operation, or undefined when the race was lost (or there was nothing to change). */
  async function submit(
    { trust, spec }: NamespaceRead,
    wanted: WantedTrust,
    { generation }: ChangeOptions,
  ): Promise<string | undefined> {
    const { namespace, resourceVersion } = trust;
    const id = await freshOperationId({ generation, namespace, wanted, resourceVersion });
    if (id.running) return id.id;
    const filters = sameFilters(trust.filters, wanted.filters) ? undefined : wanted.filters;
    const request = messageOf([
      bytesField(update.namespace, Buffer.from(namespace)),
      bytesField(update.spec, withTrust(spec, { bundle: wanted.bundle, filters })),
      bytesField(update.resourceVersion, Buffer.from(resourceVersion)),
      bytesField(update.asyncOperationId, Buffer.from(id.id)),
    ]);
    try {
      const answer = UpdateNamespaceResponse.decode(await channel.call('UpdateNamespace', request));
      return answer.asyncOperation?.id ?? id.id;
    } catch (error) {
      if (!isRpcError(error)) throw error;
      if (isNothingToChange(error) || isLostRace(error)) return undefined;
      if (isLostAnswer(error) && (await operation(id.id))) return id.id;
      throw cloudFailure(`Changing ${namespace}`, error);
    }
  }

  /** An operation for this very change may exist: running, it is joined; ended badly, its id goes into the next one. */
  async function freshOperationId(parts: {
    generation: string;
    namespace: string;
    wanted: WantedTrust;
    resourceVersion: string;
  }): Promise<{ id: string; running: boolean }> {
    const failed: string[] = [];
    for (;;) {
      const id = operationId({ ...parts, failed });
      const found = await operation(id);
      if (!found) return { id, running: false };
      if (!badEnds.includes(found.state)) return { id, running: true };
      failed.push(id);
    }
  }

  async function fulfilled(namespace: string, id: string, options: ChangeOptions): Promise<void> {
    const end = await ended(id, options);
    if (end.state === State.STATE_FULFILLED) return;
    throw new RotationError(
      'CloudOperationFailed',
      `Operation ${id} on ${namespace} ended ${State[end.state ?? 0]}: ${end.failureReason || 'no reason given'}.`,
    );
  }

  return {
    readNamespace: async (namespace) => (await read(namespace)).trust,
    changeTrust,
    close: async () => channel.close(),
  };
}

function parseBundle(namespace: string, pem: string) {
  try {
    return readCertificates(pem);
  } catch (error) {
    throw new RotationError(
      'BundleUnreadable',
      `The CA bundle of ${namespace}: ${(error as Error).message}. Nothing was changed.`,
    );
  }
}

/** Bundles are sets: the server normalises PEM and may order it otherwise. */
function isAs(trust: NamespaceTrust, wanted: WantedTrust): boolean {
  const set = (cas: readonly { fingerprint: string }[]) => [...new Set(cas.map((ca) => ca.fingerprint))].sort().join();
  return set(trust.bundle) === set(wanted.bundle) && sameFilters(trust.filters, wanted.filters);
}

/** FULFILLED is no proof: the re-read is, that the wanted state is there and nothing else changed. */
function prove(before: NamespaceRead, after: NamespaceRead, wanted: WantedTrust): void {
  const { namespace } = after.trust;
  if (!isAs(after.trust, wanted) || !after.trust.mtlsEnabled) {
    throw new RotationError(
      'CloudWriteNotEffective',
      `${namespace} does not show the bundle and filters that were written.`,
    );
  }
  if (restOf(before.spec) !== restOf(after.spec)) {
    throw new RotationError(
      'CloudSpecChanged',
      `The bundle of ${namespace} is as wanted, but other settings changed at the same time.`,
    );
  }
}

function checkDurationMs({ checkDuration }: AsyncOperation): number {
  const ms = Number(checkDuration?.seconds ?? 1) * 1000 + Math.floor((checkDuration?.nanos ?? 0) / 1e6);
  return Math.min(Math.max(ms, 200), 30_000);
}

/** Waits, saying so about once a second. */
async function patiently(
  ms: number,
  line: string,
  onProgress: ChangeOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    onProgress?.(line);
    await wait(Math.min(left, 1000), undefined, signal ? { signal } : {});
  }
}
