import { randomBytes } from 'node:crypto';
import protobuf from 'protobufjs';
import type { Service, ServiceOptions } from './service.js';
import { CloudRefusal, type OperationState, type StoredNamespace, type StoredOperation } from './store.js';
import { fromTcldSpec, toTcldSpec } from './tcld-spec.js';

/**
 * The messages of the two services that tcld v0.55.0 speaks for CAs, filters and requests. They are published nowhere: names
 * and numbers are those of the descriptors inside the program. What the sandbox has nothing to say about is left out.
 */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Named { string namespace = 1; }
  message NamespaceList { repeated string namespaces = 1; }
  message NamespaceAnswer { Namespace namespace = 1; }
  message Namespace {
    string namespace = 1;
    string resource_version = 2;
    bytes spec = 3;
    int32 state = 4;
    string request_id = 5;
    Uri uri = 7;
  }
  message Uri { string grpc = 2; }
  message Update {
    string namespace = 1;
    bytes spec = 2;
    string resource_version = 3;
    string request_id = 4;
  }
  message Request { string request_id = 2; }
  message RequestAnswer { Status request_status = 1; }
  message Status {
    string request_id = 2;
    int32 state = 3;
    Duration check_duration = 4;
    string operation_type = 5;
    string resource_id = 6;
    string resource_type = 7;
    string failure_reason = 8;
  }
  message Duration {
    int64 seconds = 1;
    int32 nanos = 2;
  }
`);

const encode = (message: string, value: object): Uint8Array => root.lookupType(message).encode(value).finish();
/** Fields that are not there have their default value. */
const decode = <T>(message: string, bytes: Uint8Array): T => root.lookupType(message).decode(bytes) as T;

interface Update {
  readonly namespace: string;
  readonly spec: Uint8Array;
  readonly resourceVersion: string;
  readonly requestId: string;
}

/** NamespaceService and RequestService: the same namespaces and operations as CloudService, in the words of tcld. */
export function tcldServices(options: ServiceOptions): readonly Service[] {
  const { store, mtlsAddressOf, checkDurationMs, tcldKeepsFields = false } = options;
  const namespaceAnswer = ({ namespace, version, spec, operation }: StoredNamespace) =>
    encode('NamespaceAnswer', {
      namespace: {
        namespace,
        resourceVersion: String(version),
        spec: toTcldSpec(spec),
        state: operation ? 4 : 3,
        requestId: operation ?? '',
        uri: { grpc: mtlsAddressOf(namespace) },
      },
    });
  const requestAnswer = ({ id, namespace, state, failureReason }: StoredOperation) =>
    encode('RequestAnswer', {
      requestStatus: {
        requestId: id,
        state: states[state],
        checkDuration: { seconds: Math.floor(checkDurationMs / 1000), nanos: (checkDurationMs % 1000) * 1e6 },
        operationType: 'UpdateNamespace',
        resourceId: namespace,
        resourceType: 'Namespace',
        failureReason,
      },
    });
  return [
    {
      path: 'api.namespaceservice.v1.NamespaceService',
      handlers: {
        GetNamespace: (request) => namespaceAnswer(store.get(decode<Update>('Named', request).namespace)),
        ListNamespaces: () => encode('NamespaceList', { namespaces: store.list().map(({ namespace }) => namespace) }),
        UpdateNamespace: (request) => {
          const { namespace, spec, resourceVersion, requestId } = decode<Update>('Update', request);
          const wanted = fromTcldSpec(spec, store.get(namespace).spec, { keepsFields: tcldKeepsFields });
          const id = requestId || randomBytes(16).toString('hex');
          return requestAnswer(store.update({ namespace, spec: wanted, version: resourceVersion, id }));
        },
      },
    },
    {
      path: 'api.requestservice.v1.RequestService',
      handlers: {
        GetRequestStatus: (request) => {
          const { requestId } = decode<{ requestId: string }>('Request', request);
          const found = store.operation(requestId);
          if (!found) throw new CloudRefusal('NotFound', `request ${requestId} not found`);
          return requestAnswer(found);
        },
      },
    },
  ];
}

const states: Readonly<Record<OperationState, number>> = {
  PENDING: 1,
  IN_PROGRESS: 2,
  FAILED: 3,
  CANCELLED: 4,
  FULFILLED: 5,
  REJECTED: 6,
};
