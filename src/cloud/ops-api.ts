import { status } from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import { RotationError } from '../domain/failures.js';
import { sameFilters } from '../domain/filters.js';
import { readCertificates } from '../x509/read.js';
import { trustChanger, type NamespaceEditor, type NamespaceRead, type Operation } from './change.js';
import type { CloudChannel } from './channel.js';
import type { Cloud } from './cloud.js';
import { cloudFailure, isRpcError } from './failures.js';
import { readIdentity } from './identity.js';
import { readTrust, restOf, withTrust } from './namespace-spec.js';
import { bytesField, contentOf, fieldsOf, messageOf } from './wire.js';

const { GetNamespaceRequest, GetNamespaceResponse, GetAsyncOperationRequest, GetAsyncOperationResponse } =
  proto.temporal.api.cloud.cloudservice.v1;
const { State } = proto.temporal.api.cloud.operation.v1.AsyncOperation;

/** Field numbers of UpdateNamespaceRequest, and of the spec in GetNamespaceResponse.namespace. */
const update = { namespace: 1, spec: 2, resourceVersion: 3, asyncOperationId: 4 } as const;
const [responseNamespace, namespaceSpec] = [1, 3];

/** The namespace with its spec's bytes, as the server sent them. */
export interface SpecRead extends NamespaceRead {
  readonly spec: Uint8Array;
}

/** Cloud `ops-api`: Temporal's Cloud Operations API (docs.temporal.io/ops). */
export function createOpsApiCloud(channel: CloudChannel): Cloud {
  const editor = opsApiEditor(channel);
  return {
    readNamespace: async (namespace) => (await editor.read(namespace)).trust,
    changeTrust: trustChanger(editor),
    identity: () => readIdentity(channel),
    close: async () => channel.close(),
  };
}

/** The namespace as the API has it; `changeTrust` makes a Cloud of it. */
export function opsApiEditor(channel: CloudChannel): NamespaceEditor<SpecRead> {
  async function read(namespace: string): Promise<SpecRead> {
    const response = await channel
      .call('GetNamespace', GetNamespaceRequest.encode({ namespace }).finish())
      .catch(failing(`Reading ${namespace}`, 'Reading it changed nothing.'));
    const found = GetNamespaceResponse.decode(response).namespace;
    if (!found) throw new RotationError('CloudNotFound', `Temporal Cloud answers no namespace ${namespace}.`);
    const spec =
      contentOf(fieldsOf(contentOf(fieldsOf(response), responseNamespace)!), namespaceSpec) ?? new Uint8Array();
    const { bundlePem, filters, enabled } = readTrust(spec);
    const address = found.endpoints?.mtlsGrpcAddress;
    return {
      spec,
      rest: restOf(spec),
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

  return {
    read,
    async write({ trust, spec }, { bundle, filters }, id) {
      const changed = sameFilters(trust.filters, filters) ? undefined : filters;
      await channel.call(
        'UpdateNamespace',
        messageOf([
          bytesField(update.namespace, Buffer.from(trust.namespace)),
          bytesField(update.spec, withTrust(spec, { bundle, filters: changed })),
          bytesField(update.resourceVersion, Buffer.from(trust.resourceVersion)),
          bytesField(update.asyncOperationId, Buffer.from(id)),
        ]),
      );
    },
    async operation(id) {
      try {
        const request = GetAsyncOperationRequest.encode({ asyncOperationId: id }).finish();
        const answer = GetAsyncOperationResponse.decode(await channel.call('GetAsyncOperation', request));
        return answer.asyncOperation ? operationOf(answer.asyncOperation) : undefined;
      } catch (error) {
        if (isRpcError(error) && error.code === status.NOT_FOUND) return undefined;
        return failing(`Reading operation ${id}`, 'If it was begun, it goes on by itself.')(error);
      }
    },
  };
}

const failing =
  (what: string, state: string) =>
  (error: unknown): never => {
    throw isRpcError(error) ? cloudFailure(what, error, state) : error;
  };

export function parseBundle(namespace: string, pem: string) {
  try {
    return readCertificates(pem);
  } catch (error) {
    throw new RotationError(
      'BundleUnreadable',
      `The CA bundle of ${namespace}: ${(error as Error).message}. Nothing was changed.`,
    );
  }
}

function operationOf(operation: proto.temporal.api.cloud.operation.v1.IAsyncOperation): Operation {
  const state = operation.state ?? State.STATE_UNSPECIFIED;
  const { seconds, nanos } = operation.checkDuration ?? { seconds: 1, nanos: 0 };
  return {
    state: ends.get(state) ?? 'running',
    stateName: State[state].replace('STATE_', ''),
    failureReason: operation.failureReason ?? '',
    checkMs: Number(seconds ?? 0) * 1000 + Math.floor((nanos ?? 0) / 1e6),
  };
}

const ends: ReadonlyMap<number, Operation['state']> = new Map([
  [State.STATE_FULFILLED, 'fulfilled'],
  [State.STATE_FAILED, 'failed'],
  [State.STATE_CANCELLED, 'failed'],
  [State.STATE_REJECTED, 'failed'],
]);
