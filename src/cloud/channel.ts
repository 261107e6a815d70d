import * as grpc from '@grpc/grpc-js';

/** Version of the cloud-api protos that the field numbers here were read from; sent on every request, as the API demands. */
export const cloudApiVersion = 'v0.17.0';
const service = '/temporal.api.cloud.cloudservice.v1.CloudService';
const deadlineMs = 20_000;

export interface CloudChannelOptions {
  /** `host:port`. */
  readonly address: string;
  readonly apiKey: string;
  /** PEM; absent = the system's roots. */
  readonly serverRoots?: Buffer | undefined;
}

/** One method of CloudService, bytes in and bytes out. Rejects with a CloudRpcError. */
export interface CloudChannel {
  call(method: string, request: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

/**
 * A plain gRPC channel without retries of its own: Temporal retries the activity, and the real status code must reach it.
 * docs/decisions/0001-cloud-ops-wire.md says why it is not CloudOperationsConnection.
 */
export function openCloudChannel({ address, apiKey, serverRoots }: CloudChannelOptions): CloudChannel {
  const client = new grpc.Client(address, grpc.credentials.createSsl(serverRoots ?? null), {
    'grpc.enable_retries': 0,
  });
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${apiKey}`);
  metadata.set('temporal-cloud-api-version', cloudApiVersion);
  const bytes = (buffer: Buffer): Buffer => buffer;
  return {
    call: (method, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `${service}/${method}`,
          bytes,
          bytes,
          Buffer.from(request),
          metadata,
          { deadline: Date.now() + deadlineMs },
          (error, answer) => {
            if (error) reject({ code: error.code, details: error.details });
            else resolve(answer ?? Buffer.alloc(0));
          },
        );
      }),
    close: () => client.close(),
  };
}
