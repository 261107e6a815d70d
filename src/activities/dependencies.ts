import type { Client } from '@temporalio/client';
import type { Cloud } from '../cloud/cloud.js';
import type { Config } from '../config/schema.js';
import type { AuditContext, AuditFacts } from '../domain/audit.js';
import type { Fingerprint } from '../domain/certificate.js';
import type { SeenClient } from '../domain/clients.js';
import type { Issuer } from '../issuers/issuer.js';
import type { Keystore } from '../keystore/keystore.js';
import type { Notifier } from '../notifiers/notifier.js';
import type { Endpoint, Probe } from '../probes/probe.js';
import type { Poller, Target } from '../targets/target.js';

/** What activities work with: ports and the configuration. Made once, in wire.ts; replaced by faults in tests. */
export interface Dependencies {
  readonly config: Config;
  /** SHA-256 of the resolved configuration: lands in history with every plan. */
  readonly configDigest: string;
  readonly keystore: Keystore;
  readonly cloud: Cloud;
  readonly probe: Probe;
  issuer(authority: string): Issuer;
  /** Throws RotationError `ToolMissing` or `ToolUnsuitable` where a program is not as it must be that the authority's rotations run. */
  assertPrograms(authority: string): Promise<void>;
  /** Throws RotationError `UnknownTarget`. */
  target(name: string): Target;
  /** Throws RotationError `UnknownNotifier`. */
  notifier(name: string): Notifier;
  /** Every endpoint of a namespace that a client may use. */
  endpoints(namespace: string): readonly Endpoint[];
  pollers(taskQueue: { namespace: string; name: string }): Promise<readonly Poller[]>;
  /** Who uses a namespace without polling a known task queue, as far as it shows. */
  clients(seeking: { namespace: string; since: Date; knownQueues: readonly string[] }): Promise<readonly SeenClient[]>;
  /** The client of the worker's own namespace; swapped when its certificate is. */
  client(): Client;
  /** The leaf that it presents; undefined where it presents none. */
  presented(): Fingerprint | undefined;
  readonly searchAttributes: boolean;
  /** Puts a change on record, as it is made. */
  audit(event: AuditFacts & AuditContext): void;
  now(): Date;
  /** The clock of the Kubernetes API server, now. */
  clusterTime(): Promise<Date>;
  /** Ends the connections that it keeps. */
  close(): Promise<void>;
}
