#!/usr/bin/env node
import { rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Runtime, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { AuditDelivery } from './audit-delivery.js';
import { Journal } from './audit-journal.js';
import { loadConfig } from './config/load.js';
import { allowVariable, refusePowers } from './config/powers.js';
import { configuredQueue } from './domain/reports.js';
import { keepSwept } from './keystore/sweep.js';
import { FollowedConfiguration } from './reload.js';
import { temporalAddress } from './temporal/connect.js';
import { FollowedConnection } from './temporal/followed-connection.js';
import { isRunning } from './temporal/running.js';
import { searchAttributesRegistered } from './temporal/search-attributes.js';
import { sweepTemporaryFolders } from './temporary-folder.js';
import { wire } from './wire.js';
import { workflowCode } from './workflow-code.js';

/** The rotation worker: reads the configuration, connects, works, and drains on SIGTERM or SIGINT. */
const log = pino({ name: 'cert-rotation-worker' }, pino.destination({ sync: true }));

/** A worker that ends waits so long for its last audit events to be taken. */
const auditGraceMs = 5000;

async function main(): Promise<void> {
  await markReady(false);
  const loaded = await loadConfig(process.env['CERT_ROTATION_CONFIG'] ?? 'rotation.yaml');
  Runtime.install({
    shutdownSignals: ['SIGINT', 'SIGTERM'],
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'INFO' } },
      ...(process.env['METRICS_ADDRESS'] && {
        metrics: { prometheus: { bindAddress: process.env['METRICS_ADDRESS'] } },
      }),
    },
    logger: {
      log: (level, message, meta) => log[pinoLevel(level)](meta ?? {}, message),
      trace: (message, meta) => log.trace(meta ?? {}, message),
      debug: (message, meta) => log.debug(meta ?? {}, message),
      info: (message, meta) => log.info(meta ?? {}, message),
      warn: (message, meta) => log.warn(meta ?? {}, message),
      error: (message, meta) => log.error(meta ?? {}, message),
    },
  });
  await sweepKeysOnDisk();
  const connection = await FollowedConnection.connect(temporalAddress(loaded), log);
  const searchAttributes = await searchAttributesRegistered(connection.client());
  if (!searchAttributes)
    log.warn('search attributes RotationPhase and RotationSubject are not registered: running without them');
  const delivery = new AuditDelivery({ webhook: () => configuration.deps.config.audit.webhook, log });
  const journal = new Journal((event) => {
    log.info({ audit: event }, `audit: ${event.event} ${event.subject}`);
    delivery.take(event);
  });
  const configuration = await FollowedConfiguration.start(loaded, {
    log,
    wire: async (latest) => {
      refusePowers(latest.config, process.env[allowVariable]);
      const wired = await wire(latest, {
        client: () => connection.client(),
        presented: () => connection.presented(),
        searchAttributes,
        journal,
      });
      connection.report(configuredQueue(loaded.config.temporal.taskQueue), latest.digest);
      return wired;
    },
  });
  const worker = await Worker.create({
    connection: connection.native,
    namespace: connection.client().options.namespace,
    taskQueue: loaded.config.temporal.taskQueue,
    identity: `cert-rotation/${process.env['HOSTNAME'] ?? hostname()}/${process.pid}`,
    ...workflowCode(),
    activities: configuration.activities,
    shutdownGraceTime: '10s',
    shutdownForceTime: '30s',
  });
  connection.follow(worker);
  configuration.follow();
  keepSwept(configuration.deps.keystore, { isRunning: (id) => isRunning(connection.client(), id), log });
  log.info({ configuration: loaded.digest, taskQueue: loaded.config.temporal.taskQueue }, 'rotation worker runs');
  await markReady(true);
  await worker.run();
  await markReady(false);
  await delivery.close(auditGraceMs);
  await connection.close();
  await configuration.close();
}

/**
 * The file READINESS_FILE is there while this worker works, for a readiness probe: one that Temporal refuses never gets so far,
 * and one that was killed must not leave it to the next.
 */
async function markReady(ready: boolean): Promise<void> {
  const file = process.env['READINESS_FILE'];
  if (file) await (ready ? writeFile(file, '') : rm(file, { force: true }));
}

/** What a killed worker left. Only issuers and probes that run programs need the folder: without it the others go on. */
async function sweepKeysOnDisk(): Promise<void> {
  const swept = await sweepTemporaryFolders().catch((error: Error) => {
    log.warn({ reason: error.message }, 'temporary folders were not swept');
    return [];
  });
  if (swept.length > 0) log.warn({ folders: swept }, 'temporary folders of a worker that was killed were removed');
}

function pinoLevel(level: string): 'trace' | 'debug' | 'info' | 'warn' | 'error' {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return levels[level as keyof typeof levels] ?? 'info';
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    log.fatal({ reason: error.message, type: error.name }, 'the rotation worker stopped');
    process.exit(1);
  },
);
