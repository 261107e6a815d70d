import { status } from '@grpc/grpc-js';
import { isGrpcServiceError, type Client } from '@temporalio/client';
import type proto from '@temporalio/proto';
import { allEnded } from '../all-ended.js';
import type { SeenClient } from '../domain/clients.js';
import { pollersOf } from './pollers.js';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;
type Execution = proto.temporal.api.workflow.v1.IWorkflowExecutionInfo;

export interface Seeking {
  readonly namespace: string;
  readonly since: Date;
  /** Task queues of targets: their pollers are looked at anyway. */
  readonly knownQueues: readonly string[];
  /** That of the rotations themselves: who decides about them is no client in doubt. */
  readonly ownQueue: string;
}

/** So much is read at most, and none of it is a billed action: two lists, so many histories, pollers of so many queues. */
const listed = 200;
const histories = 30;
const perKind = 3;
const eventsEach = 100;
const queues = 10;
const deadlineMs = 30_000;

/**
 * Who uses a namespace without polling a known task queue: identities of recent starts, signals and updates, workers that
 * the server lists, and pollers of the task queues of recent executions. A sample, the newest of each kind of workflow: what
 * it finds is so, what it does not find may be there all the same.
 */
export async function seekClients(client: Client, seeking: Seeking): Promise<readonly SeenClient[]> {
  try {
    return await client.withDeadline(Date.now() + deadlineMs, () => seek(client, seeking));
  } catch (error) {
    if (!isGrpcServiceError(error) || !refused.has(error.code)) throw error;
    const { namespace } = seeking;
    return [{ identity: 'anybody', namespace, does: `cannot be looked for: ${status[error.code]}` }];
  }
}

/** Trying again does not help: nobody is found, and that is said. */
const refused: ReadonlySet<number> = new Set([status.PERMISSION_DENIED, status.NOT_FOUND, status.INVALID_ARGUMENT]);

async function seek(client: Client, seeking: Seeking): Promise<readonly SeenClient[]> {
  const executions = (await recentExecutions(client, seeking)).filter(
    ({ taskQueue }) => !isSystem(taskQueue) && taskQueue !== seeking.ownQueue,
  );
  const [callers, pollers, workers] = await allEnded([
    allEnded(sample(executions).map((execution) => callersOf(client, seeking, execution))),
    unknownQueuesOf(client, seeking, executions),
    listedWorkers(client, seeking),
  ]);
  return [...callers.flat(), ...pollers, ...workers];
}

const isSystem = (queue: string | null | undefined): boolean => queue?.startsWith('temporal-sys') ?? false;

/** What began lately, and what runs for longer. */
async function recentExecutions(client: Client, { namespace, since }: Seeking): Promise<readonly Execution[]> {
  const began = since.toISOString();
  const queries = [`StartTime >= "${began}"`, `StartTime < "${began}" AND ExecutionStatus = "Running"`];
  const answers = await allEnded(
    queries.map((query) =>
      client.workflowService.listWorkflowExecutions({ namespace, pageSize: listed / queries.length, query }),
    ),
  );
  return answers.flatMap(({ executions }) => executions ?? []);
}

function sample(executions: readonly Execution[]): readonly Execution[] {
  const taken = new Map<string, number>();
  const isAmongTheFirst = ({ type, taskQueue }: Execution) => {
    const kind = `${type?.name} ${taskQueue}`;
    const count = (taken.get(kind) ?? 0) + 1;
    taken.set(kind, count);
    return count <= perKind;
  };
  return executions.filter(isAmongTheFirst).slice(0, histories);
}

/** The newest events: of a short history all of them. One that is gone since it was listed has none. */
async function callersOf(
  client: Client,
  { namespace, since }: Seeking,
  { execution }: Execution,
): Promise<readonly SeenClient[]> {
  const { history } = await client.workflowService
    .getWorkflowExecutionHistoryReverse({ namespace, execution: execution ?? {}, maximumPageSize: eventsEach })
    .catch((error: unknown) => {
      if (isGrpcServiceError(error) && error.code === status.NOT_FOUND) return { history: undefined };
      throw error;
    });
  return (history?.events ?? []).flatMap((event) => {
    const at = Number(event.eventTime?.seconds ?? 0) * 1000;
    const call = at >= since.getTime() && callOf(event);
    return call && call.identity ? [{ ...call, namespace, at: new Date(at).toISOString() }] : [];
  });
}

/** Calls from outside: what a schedule, a parent or another workflow does is no client's. */
function callOf(event: HistoryEvent): Pick<SeenClient, 'identity' | 'does'> | undefined {
  const started = event.workflowExecutionStartedEventAttributes;
  const signaled = event.workflowExecutionSignaledEventAttributes;
  const updated = event.workflowExecutionUpdateAcceptedEventAttributes;
  if (started) {
    const bySomebodyElse =
      started.parentWorkflowExecution ||
      started.continuedExecutionRunId ||
      started.searchAttributes?.indexedFields?.['TemporalScheduledById'];
    return bySomebodyElse ? undefined : { identity: started.identity ?? '', does: 'starts workflows' };
  }
  if (signaled && !signaled.externalWorkflowExecution)
    return { identity: signaled.identity ?? '', does: 'signals workflows' };
  return updated ? { identity: updated.acceptedRequest?.meta?.identity ?? '', does: 'updates workflows' } : undefined;
}

async function unknownQueuesOf(client: Client, seeking: Seeking, executions: readonly Execution[]) {
  const { namespace, since, knownQueues } = seeking;
  const all = new Set(executions.map(({ taskQueue }) => taskQueue ?? ''));
  const names = [...all].filter((name) => name !== '' && !knownQueues.includes(name));
  const found = await allEnded(
    names.slice(0, queues).map(async (name) => {
      const pollers = await pollersOf(client, { namespace, name });
      const recent = pollers.filter(({ lastAccessTime }) => Date.parse(lastAccessTime) >= since.getTime());
      const does = `polls task queue ${name}`;
      return recent.map(({ identity, lastAccessTime: at }): SeenClient => ({ identity, namespace, does, at }));
    }),
  );
  return found.flat();
}

/** Workers that tell the server of themselves, where it listens. */
async function listedWorkers(
  client: Client,
  { namespace, knownQueues, ownQueue }: Seeking,
): Promise<readonly SeenClient[]> {
  const { workers } = await client.workflowService
    .listWorkers({ namespace, pageSize: listed })
    .catch((error: unknown) => {
      if (isGrpcServiceError(error) && notThere.has(error.code)) return { workers: [] };
      throw error;
    });
  return (workers ?? []).flatMap(({ workerIdentity, taskQueue }) =>
    workerIdentity && taskQueue && !isSystem(taskQueue) && ![...knownQueues, ownQueue].includes(taskQueue)
      ? [{ identity: workerIdentity, namespace, does: `polls task queue ${taskQueue}` }]
      : [],
  );
}

/** How servers without ListWorkers, or with it switched off, answer. */
const notThere: ReadonlySet<number> = new Set([
  status.UNIMPLEMENTED,
  status.INVALID_ARGUMENT,
  status.PERMISSION_DENIED,
]);
