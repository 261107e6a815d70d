import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import type { KeyPair } from '../x509/pair.js';

/**
 * Port: whatever holds and uses one leaf. Every call can run twice with the same outcome. Throws RotationError:
 * Kubernetes*, Secret*, NoConsumer, UnknownOwner, WorkloadUnhealthy, WorkloadUnsettled, RolloutFailed, NotAdopted.
 */
export interface Target {
  /** Everything that can fail later, looked at now; throws what would fail. Changes nothing. */
  inspect(): Promise<TargetFacts>;
  /** The pair in place; undefined where there is none yet. */
  read(): Promise<KeyPair | undefined>;
  /** Write the pair (created if absent), then read it back and check that it matches. A pair in place is not written again. */
  deliver(leaf: KeyPair): Promise<Delivery>;
  /** What is in place, and since when; undefined where there is none, or where nobody knows since when. */
  delivered(): Promise<Delivery | undefined>;
  /**
   * Get the running workloads onto the delivered leaf and wait until they are ready. Calls `restarting` before each workload
   * that it restarts, or goes on to restart; not for one that an earlier call restarted and that is only waited for.
   */
  rollOut(delivery: Delivery, progress: Progress, restarting?: () => void): Promise<void>;
  /** Evidence, pod by pod, that the leaf is what they use. Does not wait. */
  adoption(delivery: Delivery): Promise<Adoption>;
}

export interface TargetFacts {
  /** The certificate in place, without its key. */
  readonly current?: CertificateFacts;
  /** e.g. `Deployment temporal-booking/temporal-booking-worker`. */
  readonly consumers: readonly string[];
  readonly warnings: readonly string[];
  /** Why fewer processes than wanted may work while it rolls out; absent where none is missed. */
  readonly gap?: string;
}

/** A leaf in place. The same after a crash, a retry or a second delivery of that leaf: it is read from the target itself. */
export interface Delivery {
  readonly leaf: Fingerprint;
  /** When it was written, by the clock of whoever holds the target (RFC 3339). */
  readonly at: string;
}

export interface Adoption {
  readonly adopted: boolean;
  readonly holders: readonly HolderEvidence[];
}

/** What is known of one pod (or process) that uses the target's leaf, or what stands in the way of any proof. */
export interface HolderEvidence {
  readonly name: string;
  readonly adopted: boolean;
  /** What is proved, or what is missing; one line for a person. */
  readonly evidence: string;
}

export interface Progress {
  /** One line for a person; also the activity's heartbeat. */
  report(line: string): void;
  readonly signal: AbortSignal;
}

/** A process that polls a task queue (DescribeTaskQueue). */
export interface Poller {
  readonly identity: string;
  /** RFC 3339. */
  readonly lastAccessTime: string;
}
