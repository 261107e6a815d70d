import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { CommandError, commandFailure, runCommand, type Program } from '../command.js';
import { RotationError } from '../domain/failures.js';
import { assertSuitable, tcldProgram } from '../program-version.js';
import { cloudFailure, type CloudRpcError } from './failures.js';

/** tcld retries for about 4 s and has no deadline of its own. */
const deadlineMs = 30_000;

export interface TcldOptions {
  readonly program: Program;
  /** `host:port`. */
  readonly address: string;
  readonly apiKey: string;
  /** PEM file; absent = the system's roots. */
  readonly serverRootsFile?: string | undefined;
}

/** The commands of tcld that a rotation needs, and their answers. */
export interface Tcld {
  namespace(namespace: string): Promise<TcldNamespace>;
  /** Begins to set the whole bundle. Throws CloudRpcError as the server gave it. */
  setBundle(change: TcldWrite, pem: string): Promise<void>;
  /** Begins to set all filters. Throws CloudRpcError as the server gave it. */
  setFilters(change: TcldWrite, filters: readonly object[]): Promise<void>;
  /** Undefined when the server knows none of that id. */
  request(id: string): Promise<TcldRequest | undefined>;
}

export interface TcldWrite {
  readonly namespace: string;
  readonly requestId: string;
  readonly resourceVersion: string;
}

const filter = z.object({
  commonName: z.string(),
  organization: z.string(),
  organizationalUnit: z.string(),
  subjectAlternativeName: z.string(),
});

const namespaceAnswer = z.object({
  resourceVersion: z.string().min(1),
  state: z.string(),
  requestId: z.string(),
  uri: z.object({ grpc: z.string() }).nullable(),
  spec: z.looseObject({
    acceptedClientCa: z.string(),
    certificateFilters: z.array(filter),
    authMethod: z.string(),
  }),
});
export type TcldNamespace = z.infer<typeof namespaceAnswer>;

const requestAnswer = z.object({
  requestStatus: z.object({
    requestId: z.string(),
    state: z.enum(['Unspecified', 'Pending', 'InProgress', 'Failed', 'Cancelled', 'Fulfilled', 'Rejected']),
    /** `10s`, `1.500s`. */
    checkDuration: z
      .string()
      .regex(/^\d+(\.\d+)?s$/)
      .nullable(),
    failureReason: z.string(),
  }),
});
export type TcldRequest = z.infer<typeof requestAnswer>['requestStatus'];

/** Runs the real program (github.com/temporalio/tcld). The API key travels in its environment, never in its arguments. */
export function createTcld({ program, address, apiKey, serverRootsFile }: TcldOptions): Tcld {
  let suitable: Promise<void> | undefined;
  async function run(args: readonly string[]): Promise<string> {
    await (suitable ??= assertSuitable(program, tcldProgram).catch((error: unknown) => {
      suitable = undefined;
      throw error;
    }));
    const { stdout } = await runCommand({
      program,
      args: [`--server=${dialled(address)}`, ...args],
      env: {
        TEMPORAL_CLOUD_API_KEY: apiKey,
        AUTO_CONFIRM: 'true',
        ...(serverRootsFile && { SSL_CERT_FILE: serverRootsFile }),
      },
      deadlineMs,
      secrets: [apiKey],
    });
    return stdout;
  }

  /** Throws RotationError. */
  async function ask(what: string, args: readonly string[]): Promise<string> {
    try {
      return await run(args);
    } catch (error) {
      const answer = rpcErrorOf(error);
      throw answer ? cloudFailure(what, answer, 'Reading it changed nothing.') : commandFailure(what, error);
    }
  }

  async function write({ namespace, requestId, resourceVersion }: TcldWrite, args: readonly string[]): Promise<void> {
    const ids = [`--namespace=${namespace}`, `--request-id=${requestId}`, `--resource-version=${resourceVersion}`];
    try {
      parsed(requestAnswer, await run(['namespace', ...args.slice(0, 2), ...ids, ...args.slice(2)]));
    } catch (error) {
      throw rpcErrorOf(error) ?? lostAnswerOf(error) ?? commandFailure(`Changing ${namespace}`, error);
    }
  }

  return {
    namespace: async (namespace) =>
      parsed(namespaceAnswer, await ask(`Reading ${namespace}`, ['namespace', 'get', `--namespace=${namespace}`])),
    setBundle: (change, pem) =>
      write(change, ['accepted-client-ca', 'set', `--ca-certificate=${Buffer.from(pem).toString('base64')}`]),
    setFilters: (change, filters) =>
      write(change, ['certificate-filters', 'import', `--certificate-filter-input=${JSON.stringify({ filters })}`]),
    async request(id) {
      try {
        return parsed(requestAnswer, await run(['request', 'get', `--request-id=${id}`])).requestStatus;
      } catch (error) {
        const answer = rpcErrorOf(error);
        if (answer?.code === status.NOT_FOUND) return undefined;
        const what = `Reading operation ${id}`;
        throw answer
          ? cloudFailure(what, answer, 'If it was begun, it goes on by itself.')
          : commandFailure(what, error);
      }
    },
  };
}

/** tcld takes a bare IP address for no address at all. */
function dialled(address: string): string {
  return /^[\d[]/.test(address) ? `dns:///${address}` : address;
}

/** Prompts, and the differences that they are about, come first on standard output; the answer is the last document. */
function parsed<T>(schema: z.ZodType<T>, stdout: string): T {
  const start = `\n${stdout}`.lastIndexOf('\n{\n');
  try {
    return schema.parse(JSON.parse(stdout.slice(Math.max(start, 0))));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : 'no JSON document';
    throw new RotationError('ToolAnswerUnknown', `tcld answered something unknown (${why}).`);
  }
}

/** The server's answer in what tcld says: `rpc error: code = NotFound desc = …`. */
function rpcErrorOf(error: unknown): CloudRpcError | undefined {
  if (!(error instanceof CommandError)) return undefined;
  if (/^nothing to change$/m.test(error.stderr)) return { code: status.INVALID_ARGUMENT, details: 'nothing to change' };
  const [, name, details] = /rpc error: code = (\w+) desc = ([^]*)/.exec(error.stderr) ?? [];
  const code = name === undefined ? undefined : codes[name];
  return code === undefined ? undefined : { code, details: details! };
}

/** Ended before it answered: its request may have arrived. */
function lostAnswerOf(error: unknown): CloudRpcError | undefined {
  if (!(error instanceof CommandError)) return undefined;
  const lost = error.kind === 'deadline' || (error.kind === 'exit' && error.exitCode === undefined);
  return lost ? { code: status.DEADLINE_EXCEEDED, details: error.message } : undefined;
}

/** gRPC codes by the names that Go gives them. */
const codes: Readonly<Record<string, status>> = {
  Canceled: status.CANCELLED,
  Unknown: status.UNKNOWN,
  InvalidArgument: status.INVALID_ARGUMENT,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  NotFound: status.NOT_FOUND,
  AlreadyExists: status.ALREADY_EXISTS,
  PermissionDenied: status.PERMISSION_DENIED,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  FailedPrecondition: status.FAILED_PRECONDITION,
  Aborted: status.ABORTED,
  OutOfRange: status.OUT_OF_RANGE,
  Unimplemented: status.UNIMPLEMENTED,
  Internal: status.INTERNAL,
  Unavailable: status.UNAVAILABLE,
  DataLoss: status.DATA_LOSS,
  Unauthenticated: status.UNAUTHENTICATED,
};
