import { randomBytes } from 'node:crypto';
import proto from '@temporalio/proto';
import { bytesField, contentOf, fieldsOf, messageOf } from '../../cloud/wire.js';
import type { Service, ServiceOptions } from './service.js';
import {
  CloudRefusal,
  type CloudStore,
  type OperationState,
  type StoredNamespace,
  type StoredOperation,
} from './store.js';

const messages = proto.temporal.api.cloud.cloudservice.v1;
const { AsyncOperation } = proto.temporal.api.cloud.operation.v1;
const { Namespace } = proto.temporal.api.cloud.namespace.v1;

/** CloudService: what a rotation needs of the Cloud Operations API. */
export function cloudService({ store, mtlsAddressOf, checkDurationMs, identity }: ServiceOptions): Service {
  const encodeOperation = ({ id, state, failureReason }: StoredOperation) =>
    AsyncOperation.create({
      id,
      state: states[state],
      failureReason,
      operationType: 'UpdateNamespace',
      checkDuration: { seconds: Math.floor(checkDurationMs / 1000) as never, nanos: (checkDurationMs % 1000) * 1e6 },
    });
  /** The spec is put in as bytes: encoding it through the protos would lose what they do not know. */
  const encodeNamespace = ({ namespace, version, spec, operation }: StoredNamespace): Uint8Array => {
    const known = Namespace.encode({
      namespace,
      resourceVersion: String(version),
      state: operation ? 4 : 3,
      endpoints: { mtlsGrpcAddress: mtlsAddressOf(namespace) },
      ...(operation && { asyncOperationId: operation }),
    }).finish();
    return messageOf([...fieldsOf(known), bytesField(3, spec)]);
  };
  return {
    path: 'temporal.api.cloud.cloudservice.v1.CloudService',
    handlers: {
      GetNamespace: (request) => {
        const { namespace } = messages.GetNamespaceRequest.decode(request);
        return messageOf([bytesField(1, encodeNamespace(store.get(namespace)))]);
      },
      GetNamespaces: () => messageOf(store.list().map((namespace) => bytesField(1, encodeNamespace(namespace)))),
      UpdateNamespace: (request) => {
        const { namespace, resourceVersion, asyncOperationId } = messages.UpdateNamespaceRequest.decode(request);
        const spec = contentOf(fieldsOf(request), 2) ?? new Uint8Array();
        const id = asyncOperationId || randomBytes(16).toString('hex');
        const asyncOperation = encodeOperation(store.update({ namespace, spec, version: resourceVersion, id }));
        return messages.UpdateNamespaceResponse.encode({ asyncOperation }).finish();
      },
      GetAsyncOperation: (request) => {
        const { asyncOperationId } = messages.GetAsyncOperationRequest.decode(request);
        const found = store.operation(asyncOperationId);
        if (!found) throw new CloudRefusal('NotFound', `operation ${asyncOperationId} not found`);
        return messages.GetAsyncOperationResponse.encode({ asyncOperation: encodeOperation(found) }).finish();
      },
      GetCurrentIdentity: () => messages.GetCurrentIdentityResponse.encode(identity ?? rotationAccount(store)).finish(),
    },
  };
}

/** With a key of a year, as Temporal Cloud's default is. */
function rotationAccount(store: CloudStore): proto.temporal.api.cloud.cloudservice.v1.IGetCurrentIdentityResponse {
  const permission = 1;
  const accesses = store.list().map(({ namespace }) => [namespace, { permission }] as const);
  const seconds = Math.floor(Date.now() / 1000) + 365 * 86_400;
  return {
    serviceAccount: {
      id: 'sandbox',
      spec: {
        name: 'rotation',
        access: { accountAccess: { role: 5 }, namespaceAccesses: Object.fromEntries(accesses) },
      },
    },
    principalApiKey: { id: 'key', spec: { displayName: 'rotation', expiryTime: { seconds: seconds as never } } },
  };
}

const states: Readonly<Record<OperationState, proto.temporal.api.cloud.operation.v1.AsyncOperation.State>> = {
  PENDING: 1,
  IN_PROGRESS: 2,
  FAILED: 3,
  CANCELLED: 4,
  FULFILLED: 5,
  REJECTED: 6,
};
