import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { Journal } from '../audit-journal.js';
import type { Program } from '../command.js';
import type { LoadedConfig } from '../config/load.js';
import { allowVariable, refusePowers } from '../config/powers.js';
import type { AuditEvent } from '../domain/audit.js';
import { caRotationId } from '../domain/ids.js';
import { temporalAddress } from '../temporal/connect.js';
import { wire } from '../wire.js';
import { workflowCode } from '../workflow-code.js';
import { claimRescue } from './claim.js';
import { startLocalTemporal } from './local-temporal.js';
import { refuseUnlessLockedOut } from './needed.js';

export interface Rescue {
  readonly authority: string;
  readonly who: string;
  readonly why: string;
  /** The `temporal` program: named, never searched for (safety 26). */
  readonly temporal: Program;
  readonly audit: (event: AuditEvent) => void;
  /** Ends it in good order; whoever comes next takes it up. */
  readonly signal: AbortSignal;
}

/** The rotation on a Temporal of its own, while it runs. */
export interface RescueUnderWay {
  readonly client: Client;
  readonly address: string;
  readonly workflowId: string;
  readonly runId: string;
}

/**
 * When everything has expired no worker polls and no starter connects: the same workflows run on a Temporal of our own, with the
 * API key and the keystore, and change the same record by the same compare-and-set. Afterwards the ordinary system finds a
 * finished rotation. Calls `follow` while it runs; whatever happens, nothing of it is left.
 */
export async function rescue<T>(
  loaded: LoadedConfig,
  { authority, who, why, temporal, audit, signal }: Rescue,
  follow: (underWay: RescueUnderWay) => Promise<T>,
): Promise<T> {
  const { config } = loaded;
  refusePowers(config, process.env[allowVariable]);
  const { namespace } = temporalAddress(loaded);
  const closing: (() => Promise<void>)[] = [];
  const left = <Thing>(thing: Thing, close: (thing: Thing) => Promise<void>): Thing => {
    closing.unshift(() => close(thing));
    return thing;
  };
  try {
    Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
    let local: Client | undefined;
    const deps = await wire(loaded, {
      client: () => local!,
      presented: () => undefined,
      searchAttributes: true,
      journal: new Journal(audit),
      lockedOut: true,
    });
    left(deps, (wired) => wired.close());
    await refuseUnlessLockedOut(deps, authority);
    const stop = new AbortController();
    const by = `${who} on ${hostname()}`;
    left(await claimRescue(deps.keystore, { authority, by, lost: (error) => stop.abort(error) }), (claim) =>
      claim.release(),
    );
    const server = left(await startLocalTemporal(temporal, namespace), (one) => one.stop());
    const connection = left(await Connection.connect({ address: server.address }), (one) => one.close());
    const native = left(await NativeConnection.connect({ address: server.address }), (one) => one.close());
    local = new Client({ connection, namespace });
    const { taskQueue } = config.temporal;
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      identity: `cert-rotation-rescue/${hostname()}/${process.pid}`,
      ...workflowCode(),
      activities: createActivities(deps),
      shutdownGraceTime: '5s',
    });
    const workflowId = caRotationId(authority);
    const emergency = { who, why, leaked: 'none', lockOutUnknown: true };
    const client = local;
    return await worker.runUntil(async () => {
      const { firstExecutionRunId: runId } = await client.workflow.start('caRotation', {
        workflowId,
        taskQueue,
        args: [{ authority, who, emergency }],
        staticSummary: `Rescue: rotate the CA ${authority}`,
      });
      return Promise.race([
        follow({ client, address: server.address, workflowId, runId }),
        aborted(AbortSignal.any([stop.signal, signal])),
      ]);
    });
  } finally {
    for (const close of closing) await close().catch(() => undefined);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
