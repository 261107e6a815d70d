import type { Fingerprint } from '../../domain/certificate.js';
import { booking } from '../configuration.js';
import type { GatewayEvent } from '../gateway/index.js';
import { measure, type Measures, type Span } from '../gateway/measures.js';
import type { Sandbox } from '../index.js';
import type { SteadyTraffic } from '../steady-traffic.js';
import { everyWorkerPolls, leavesIn, targetSecrets, type SecretObject } from '../traffic.js';
import { latenciesOf, type Latencies } from './latencies.js';

/** What a procedure itself knows when it has ended. */
export interface Done {
  /** Exactly what a person would type. */
  readonly typed: readonly string[];
  /** From the first command to the end of the last. */
  readonly seconds: number;
  /** Billable actions, those of children included. */
  readonly temporalActions: number;
  /** Listed apart, because no history shows them: actions of heartbeats, at most. */
  readonly heartbeatsAtMost: number;
  /** Of a leaf rotation by workflow: see `ownMs`. */
  readonly ownSeconds?: number;
}

type FromTheRecord = Pick<Measures, 'workerDowntimeMs' | 'minPollingWorkers' | 'failedCalls' | 'failedByCode'>;

export interface Measured extends Done, FromTheRecord, Latencies {}

/**
 * Carries a procedure out under the traffic that runs, and measures from before its first command until every worker that is there
 * afterwards polls. Every booking started meanwhile is waited for, however long after that it ends.
 */
export async function measured(
  sandbox: Sandbox,
  { bookings }: SteadyTraffic,
  work: () => Promise<Done>,
): Promise<Measured> {
  const from = await everyWorkerPolls(sandbox);
  const startedBefore = bookings.length;
  const before = await targetSecrets(sandbox);
  const done = await work();
  const span = { from, to: await everyWorkerPolls(sandbox) };
  const latencies = await latenciesOf(bookings.slice(startedBefore));
  const held = heldSince(before, await targetSecrets(sandbox));
  return { ...done, ...fromTheRecord(await sandbox.gateway.record(), held, span), ...latencies };
}

/** Since when each leaf is one of a worker: for those in place before, always; for a new one, since its Secret holds it. */
export function heldSince(
  before: readonly SecretObject[],
  after: readonly SecretObject[],
): ReadonlyMap<Fingerprint, number> {
  const old = before.flatMap(leavesIn).map((leaf): [Fingerprint, number] => [leaf, 0]);
  return new Map([
    ...after.flatMap((secret) => leavesIn(secret).map((leaf): [Fingerprint, number] => [leaf, writtenAt(secret)])),
    ...old,
  ]);
}

/** By the API server's clock, in whole seconds, rounded down. */
function writtenAt({ metadata }: SecretObject): number {
  const writers = (metadata?.managedFields ?? []).filter(({ fieldsV1 }) => fieldsV1?.['f:data']);
  return Math.max(0, ...writers.map(({ time }) => Date.parse(time ?? '')));
}

/**
 * Calls with a new leaf before a Secret held it are those of the procedure's own connection test: not counted. The article's is
 * the Temporal CLI, which shows no leaf to a front end that has not heard of its CA yet.
 */
export function fromTheRecord(
  record: readonly GatewayEvent[],
  held: ReadonlyMap<Fingerprint, number>,
  traffic: Span,
): FromTheRecord {
  const isTest = ({ leaf, t }: GatewayEvent) => leaf !== undefined && t < (held.get(leaf) ?? 0);
  const options = { ...booking, leaves: new Set(held.keys()), probesShowNoLeaf: true, traffic };
  const { workerDowntimeMs, minPollingWorkers } = measure(record, options);
  const within = record.filter((event) => event.t >= traffic.from && event.t <= traffic.to && !isTest(event));
  const { failedCalls, failedByCode } = measure(within, options);
  return { workerDowntimeMs, minPollingWorkers, failedCalls, failedByCode };
}
