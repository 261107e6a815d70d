import http2, { type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { KillPoints } from './kill-points.js';

const api = proto.temporal.api.workflowservice.v1;

/** A proxy between one worker and a Temporal server without TLS, at which the worker may be killed around each of its activities. */
export interface TemporalProxy {
  readonly address: string;
  /** The worker was killed: what it was given and did not answer is given to the next at once, not only after its timeout. */
  handBack(): Promise<void>;
  stop(): Promise<void>;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
}

/** A task of the worker, by its token in hex. */
interface InHand {
  readonly token: Uint8Array;
  /** Of a workflow task none. */
  readonly activity?: string;
}

/** A worker that is gone is not waited for longer than that by the workflow tasks that it alone was to get. */
const stickyMs = 500;

export async function startTemporalProxy(
  upstream: string,
  namespace: string,
  points: KillPoints,
): Promise<TemporalProxy> {
  let session: ClientHttp2Session | undefined;
  const connection = await Connection.connect({ address: upstream });
  const inHand = new Map<string, InHand>();
  const take = (task: InHand) => inHand.set(hex(task.token), task);

  /** The server ends its connections after five minutes. */
  function upstreamSession(): ClientHttp2Session {
    if (session && !session.closed && !session.destroyed) return session;
    session = http2.connect(`http://${upstream}`);
    session.on('error', () => undefined);
    return session;
  }

  /** True when the worker was killed. */
  function onArrival(method: string, message: Buffer): boolean {
    if (method !== 'RespondActivityTaskCompleted') return false;
    const task = inHand.get(hex(api.RespondActivityTaskCompletedRequest.decode(message).taskToken));
    return points.pass(`${task?.activity}: its answer on arrival`);
  }

  /** True when the worker was killed. */
  function beforeTheAnswer(method: string, request: Buffer, message: Buffer): boolean {
    switch (method) {
      case 'PollActivityTaskQueue':
        return handedOut([api.PollActivityTaskQueueResponse.decode(message)]);
      case 'PollWorkflowTaskQueue': {
        const { taskToken } = api.PollWorkflowTaskQueueResponse.decode(message);
        if (taskToken.length > 0) take({ token: taskToken });
        return false;
      }
      case 'RespondWorkflowTaskCompleted': {
        inHand.delete(hex(api.RespondWorkflowTaskCompletedRequest.decode(request).taskToken));
        const { workflowTask, activityTasks } = api.RespondWorkflowTaskCompletedResponse.decode(message);
        if (workflowTask?.taskToken?.length) take({ token: workflowTask.taskToken });
        return handedOut(activityTasks);
      }
      case 'RespondActivityTaskCompleted': {
        const token = hex(api.RespondActivityTaskCompletedRequest.decode(request).taskToken);
        const task = inHand.get(token);
        inHand.delete(token);
        return points.pass(`${task?.activity}: before its answer is taken`);
      }
      case 'RespondActivityTaskFailed':
        inHand.delete(hex(api.RespondActivityTaskFailedRequest.decode(request).taskToken));
        return false;
      case 'RespondWorkflowTaskFailed':
        inHand.delete(hex(api.RespondWorkflowTaskFailedRequest.decode(request).taskToken));
        return false;
      default:
        return false;
    }
  }

  type Task = Pick<proto.temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse, 'taskToken' | 'activityType'>;
  function handedOut(tasks: readonly Task[]): boolean {
    let killed = false;
    for (const { taskToken, activityType } of tasks) {
      if (!taskToken?.length) continue;
      take({ token: taskToken, activity: activityType!.name! });
      killed = points.pass(`${activityType!.name}: handed out`) || killed;
    }
    return killed;
  }

  async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const method = String(headers[':path']).split('/').at(-1)!;
    const request = withShortStickiness(method, await bodyOf(stream));
    if (onArrival(method, messageIn(request))) return;
    const answer = await forward(upstreamSession(), headers, request, stream);
    const ok = (answer.trailers['grpc-status'] ?? answer.headers['grpc-status']) === '0';
    if (ok && beforeTheAnswer(method, messageIn(request), messageIn(answer.body))) return;
    if (stream.destroyed) return handBack();
    const { trailers } = answer;
    // A call that failed has its status in its only headers.
    if (Object.keys(trailers).length === 0) return stream.respond(answer.headers, { endStream: true });
    stream.respond(answer.headers, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(answer.body);
  }

  async function handBack(): Promise<void> {
    const tasks = [...inHand.values()];
    inHand.clear();
    const failure = { message: 'the worker was killed', applicationFailureInfo: { type: 'WorkerKilled' } };
    for (const { token: taskToken, activity } of tasks) {
      const answer = { namespace, taskToken, failure, identity: 'kill' };
      const service = connection.workflowService;
      // Whoever timed out meanwhile is given to the next already.
      await (activity ? service.respondActivityTaskFailed(answer) : service.respondWorkflowTaskFailed(answer)).catch(
        () => undefined,
      );
    }
  }

  const streams = new Set<ServerHttp2Stream>();
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
    stream.on('error', () => undefined);
    serve(stream, headers).catch(() => stream.destroy());
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    handBack,
    async stop() {
      for (const stream of streams) stream.destroy();
      session?.destroy();
      server.close();
      await connection.close();
    },
  };
}

const hex = (token: Uint8Array): string => Buffer.from(token).toString('hex');

/** gRPC frames a message by a flag (1: gzip) and four bytes of length; the calls of a worker have one message each way. */
const frameBytes = 5;

function messageIn(body: Buffer): Buffer {
  const message = body.subarray(frameBytes);
  return body[0] === 1 ? gunzipSync(message) : message;
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(frameBytes);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function withShortStickiness(method: string, body: Buffer): Buffer {
  if (method !== 'RespondWorkflowTaskCompleted') return body;
  const request = api.RespondWorkflowTaskCompletedRequest.decode(messageIn(body));
  if (!request.stickyAttributes) return body;
  request.stickyAttributes.scheduleToStartTimeout = { nanos: stickyMs * 1e6 };
  return framed(api.RespondWorkflowTaskCompletedRequest.encode(request).finish());
}

function bodyOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
  });
}

/** The call goes with its caller: a poll of a worker that is gone takes no task. */
function forward(
  session: ClientHttp2Session,
  headers: IncomingHttpHeaders,
  body: Buffer,
  caller: ServerHttp2Stream,
): Promise<Answer> {
  const { 'grpc-accept-encoding': _compressed, 'content-length': _length, ...others } = headers;
  const call = session.request(others);
  caller.once('close', () => call.close(http2.constants.NGHTTP2_CANCEL));
  return new Promise((resolve, reject) => {
    let [answered, trailers]: IncomingHttpHeaders[] = [{}, {}];
    const chunks: Buffer[] = [];
    call.on('response', (received) => (answered = received));
    call.on('trailers', (received) => (trailers = received));
    call.on('data', (chunk: Buffer) => chunks.push(chunk));
    call.once('error', reject);
    call.once('end', () => resolve({ headers: answered!, body: Buffer.concat(chunks), trailers: trailers! }));
    call.end(body);
  });
}
