import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as grpc from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import { bytesField, contentOf, fieldsOf, messageOf } from '../../cloud/wire.js';
import { CloudRefusal, type CloudStore, type OperationState, type StoredNamespace, type StoredOperation } from './store.js';

const service = proto.temporal.api.cloud.cloudservice.v1;
const { AsyncOperation } = proto.temporal.api.cloud.operation.v1;
const { Namespace } = proto.temporal.api.cloud.namespace.v1;

export interface CloudApiOptions {
  readonly store: CloudStore;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The endpoint that the namespace names as its own. */
  readonly mtlsAddressOf: (namespace: string) => string;
  /** An operation's check_duration. */
  readonly checkDurationMs: number;
}

export interface CloudApi {
  /** `localhost:port`. */
  readonly address: string;
  readonly apiKey: string;
  /** Methods in the order they were called, with the version header that came with each. */
  readonly requests: readonly { readonly method: string; readonly apiVersion: string | undefined }[];
  readonly faults: CloudFault[];
  stop(): Promise<void>;
}

/** Calls of `method` fail with `code`, before or after they had their effect. Taken off the list when it has bitten. */
export interface CloudFault {
  readonly method: string;
  readonly code: grpc.status;
  readonly details?: string;
  readonly when: 'before' | 'after';
  /** Calls that fail; 1 when absent. */
  readonly times?: number;
}

type Handler = (request: Uint8Array) => Uint8Array;
const path = '/temporal.api.cloud.cloudservice.v1.CloudService';

/** The sandbox's CloudService: gRPC over TLS, bearer keys, the version header; all else is the store's. */
export async function startCloudApi(options: CloudApiOptions): Promise<CloudApi> {
  const apiKey = `sandbox-${randomBytes(16).toString('hex')}`;
  const requests: { method: string; apiVersion: string | undefined }[] = [];
  const faults: CloudFault[] = [];
  const handlers = handlersOf(options);
  const server = new grpc.Server();
  const bytes = (buffer: Buffer): Buffer => buffer;
  const definition = Object.fromEntries(
    Object.keys(handlers).map((method) => [
      method,
      {
        path: `${path}/${method}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    ]),
  );
  const implementation = Object.fromEntries(
    Object.entries(handlers).map(([method, handle]) => [
      method,
      (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        const header = (name: string) => call.metadata.get(name)[0]?.toString();
        const apiVersion = header('temporal-cloud-api-version');
        requests.push({ method, apiVersion });
        try {
          answer(null, Buffer.from(guarded({ method, handle, faults, request: call.request, authorized: header('authorization') === `Bearer ${apiKey}`, apiVersion })));
        } catch (error) {
          answer(toStatus(error));
        }
      },
    ]),
  );
  server.addService(definition, implementation);
  const pair = { cert_chain: await readFile(options.certificateFile), private_key: await readFile(options.keyFile) };
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createSsl(null, [pair]), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return {
    address: `localhost:${port}`,
    apiKey,
    requests,
    faults,
    async stop() {
      options.store.stop();
      server.forceShutdown();
    },
  };
}

interface Guarded {
  readonly method: string;
  readonly handle: Handler;
  readonly faults: CloudFault[];
  readonly request: Uint8Array;
  readonly authorized: boolean;
  readonly apiVersion: string | undefined;
}

class Status extends Error {
  readonly code: grpc.status;

  constructor(code: grpc.status, details: string) {
    super(details);
    this.code = code;
  }
}

/** Without the version header the real API's behaviour is not documented; here it is refused, so that a test notices. */
function guarded({ method, handle, faults, request, authorized, apiVersion }: Guarded): Uint8Array {
  if (!authorized) throw new Status(grpc.status.UNAUTHENTICATED, 'invalid api key');
  if (!apiVersion) throw new Status(grpc.status.INVALID_ARGUMENT, 'temporal-cloud-api-version header is missing');
  const fault = takeFault(faults, method);
  if (fault?.when === 'before') throw new Status(fault.code, fault.details ?? 'injected');
  const answer = handle(request);
  if (fault) throw new Status(fault.code, fault.details ?? 'injected');
  return answer;
}

function takeFault(faults: CloudFault[], method: string): CloudFault | undefined {
  const index = faults.findIndex((fault) => fault.method === method);
  const fault = faults[index];
  if (!fault) return undefined;
  const left = (fault.times ?? 1) - 1;
  faults.splice(index, 1, ...(left > 0 ? [{ ...fault, times: left }] : []));
  return fault;
}

const codes: Readonly<Record<CloudRefusal['reason'], grpc.status>> = {
  NotFound: grpc.status.NOT_FOUND,
  StaleVersion: grpc.status.FAILED_PRECONDITION,
  Busy: grpc.status.FAILED_PRECONDITION,
  NothingToChange: grpc.status.INVALID_ARGUMENT,
  Invalid: grpc.status.INVALID_ARGUMENT,
  TooManyOperations: grpc.status.RESOURCE_EXHAUSTED,
};

function toStatus(error: unknown): { code: grpc.status; details: string } {
  const details = error instanceof Error ? error.message : String(error);
  if (error instanceof Status) return { code: error.code, details };
  return { code: error instanceof CloudRefusal ? codes[error.reason] : grpc.status.INTERNAL, details };
}

function handlersOf({ store, mtlsAddressOf, checkDurationMs }: CloudApiOptions): Readonly<Record<string, Handler>> {
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
    GetNamespace: (request) => {
      const { namespace } = service.GetNamespaceRequest.decode(request);
      return messageOf([bytesField(1, encodeNamespace(store.get(namespace)))]);
    },
    GetNamespaces: () => messageOf(store.list().map((namespace) => bytesField(1, encodeNamespace(namespace)))),
    UpdateNamespace: (request) => {
      const { namespace, resourceVersion, asyncOperationId } = service.UpdateNamespaceRequest.decode(request);
      const spec = contentOf(fieldsOf(request), 2) ?? new Uint8Array();
      const id = asyncOperationId || randomBytes(16).toString('hex');
      const asyncOperation = encodeOperation(store.update({ namespace, spec, version: resourceVersion, id }));
      return service.UpdateNamespaceResponse.encode({ asyncOperation }).finish();
    },
    GetAsyncOperation: (request) => {
      const { asyncOperationId } = service.GetAsyncOperationRequest.decode(request);
      const found = store.operation(asyncOperationId);
      if (!found) throw new CloudRefusal('NotFound', `operation ${asyncOperationId} not found`);
      return service.GetAsyncOperationResponse.encode({ asyncOperation: encodeOperation(found) }).finish();
    },
    GetCurrentIdentity: () => service.GetCurrentIdentityResponse.encode({ serviceAccount: { id: 'sandbox' } }).finish(),
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
