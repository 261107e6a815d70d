import { setTimeout as wait } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import type { Fingerprint } from '../domain/certificate.js';
import { presentedIdentity, presentedQueue } from '../domain/presented.js';

export interface Presence {
  readonly connection: Connection;
  readonly namespace: string;
  /** `<pid>@<host name>`: the host name of a pod is its name. */
  readonly process: string;
  /** What the connection was made with. */
  readonly leaf: Fingerprint;
}

/** The server ends a poll a little earlier. */
const pollMs = 60_000;
const againAfterMs = 2000;

/** Reports what the connection presents (domain/presented.ts), until `signal` says that it presents that no more. */
export async function reportPresence(presence: Presence, signal: AbortSignal): Promise<void> {
  const { connection, namespace, process, leaf } = presence;
  const identity = presentedIdentity(process, leaf);
  const request = { namespace, taskQueue: { name: presentedQueue }, identity };
  while (!signal.aborted) {
    const poll = () => connection.workflowService.pollActivityTaskQueue(request);
    // Whatever a poll ends with, the next one says the same; a connection that is refused reports nothing.
    await connection
      .withAbortSignal(signal, () => connection.withDeadline(Date.now() + pollMs, poll))
      .catch(() => undefined);
    await wait(againAfterMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
