import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as grpc from '@grpc/grpc-js';
import { cloudService } from './cloud-service.js';
import type { ServiceOptions } from './service.js';
import { CloudRefusal } from './store.js';
import { tcldServices } from './tcld-services.js';

export interface CloudApiOptions extends ServiceOptions {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface CloudApi {
  /** `localhost:port`. */
  readonly address: string;
  readonly apiKey: string;
  /** Requests in the order they came, with the version header that came with each. */
  readonly requests: readonly CloudRequest[];
  readonly faults: CloudFault[];
  stop(): Promise<void>;
}

export interface CloudRequest {
  /** `CloudService`, or one of tcld's: `NamespaceService`, `RequestService`. */
  readonly service: string;
  readonly method: string;
  readonly apiVersion: string | undefined;
}

/** Calls of `method` fail with `code`, before or after they had their effect. Taken off the list when it has bitten. */
export interface CloudFault {
  readonly method: string;
  /** Of this service only; of all when absent. */
  readonly service?: string;
  readonly code: grpc.status;
  readonly details?: string;
  readonly when: 'before' | 'after';
  /** Calls that fail; 1 when absent. */
  readonly times?: number;
  /** Calls that pass before. */
  readonly skip?: number;
}

/** The sandbox's Temporal Cloud on one port: gRPC over TLS, bearer keys, the version header; all else is the store's. */
export async function startCloudApi(options: CloudApiOptions): Promise<CloudApi> {
  const apiKey = `sandbox-${randomBytes(16).toString('hex')}`;
  const requests: CloudRequest[] = [];
  const faults: CloudFault[] = [];
  const server = new grpc.Server();
  for (const { path, handlers } of [cloudService(options), ...tcldServices(options)]) {
    const service = path.slice(path.lastIndexOf('.') + 1);
    for (const [method, handle] of Object.entries(handlers)) {
      server.register(
        `/${path}/${method}`,
        ({ request, metadata }: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
          const header = (name: string) => metadata.get(name)[0]?.toString();
          const apiVersion = header('temporal-cloud-api-version');
          requests.push({ service, method, apiVersion });
          try {
            admit(header('authorization') === `Bearer ${apiKey}`, apiVersion);
            const fault = takeFault(faults, service, method);
            if (fault?.when === 'before') throw new Status(fault.code, fault.details ?? 'injected');
            const response = Buffer.from(handle(request));
            if (fault) throw new Status(fault.code, fault.details ?? 'injected');
            answer(null, response);
          } catch (error) {
            answer(toStatus(error));
          }
        },
        bytes,
        bytes,
        'unary',
      );
    }
  }
  const port = await listen(server, options);
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

const bytes = (buffer: Buffer): Buffer => buffer;

async function listen(server: grpc.Server, { certificateFile, keyFile }: CloudApiOptions): Promise<number> {
  const pair = { cert_chain: await readFile(certificateFile), private_key: await readFile(keyFile) };
  const credentials = grpc.ServerCredentials.createSsl(null, [pair]);
  return await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
}

class Status extends Error {
  readonly code: grpc.status;

  constructor(code: grpc.status, details: string) {
    super(details);
    this.code = code;
  }
}

/** Without the version header the real API's behaviour is not documented; here it is refused, so that a test notices. */
function admit(authorized: boolean, apiVersion: string | undefined): void {
  if (!authorized) throw new Status(grpc.status.UNAUTHENTICATED, 'invalid api key');
  if (!apiVersion) throw new Status(grpc.status.INVALID_ARGUMENT, 'temporal-cloud-api-version header is missing');
}

function takeFault(faults: CloudFault[], service: string, method: string): CloudFault | undefined {
  const index = faults.findIndex((fault) => fault.method === method && (fault.service ?? service) === service);
  const fault = faults[index];
  if (!fault) return undefined;
  if (fault.skip) {
    faults[index] = { ...fault, skip: fault.skip - 1 };
    return undefined;
  }
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
