import type { AuthorityRecord } from './authority.js';
import type { CaRotationResult } from './rotation.js';

/**
 * What was changed, by whom and why, for whoever asks years later (safety 27, 45). Public data only. Events go to the log of
 * whoever makes the change, as they happen; a record of each CA rotation stays beside its authority. Both are chained by
 * hashes: each holds that of the one before, so that none can be taken out or changed without notice.
 */
export interface AuditFacts {
  readonly event:
    /** Bundle or filters of a namespace were written. */
    | 'trustChanged'
    /** Which CA of an authority is current, next, signing, retiring. */
    | 'authorityChanged'
    /** A CA was made, and its key put into the keystore. */
    | 'caMade'
    /** A CA that others made was taken over, with its key, as the current and signing one. Copies of that key exist (safety 3). */
    | 'caImported'
    /** The key of a CA was destroyed. */
    | 'keyDestroyed'
    /** Another leaf lies in a target. */
    | 'leafDelivered'
    /** The workloads of a target were restarted, so that they use the leaf that lies there. */
    | 'workloadsRestarted'
    /** Approval and evidence were checked by the activity that removes. */
    | 'removalApproved'
    /** A CA rotation ended; its record is beside the authority. */
    | 'rotationEnded'
    /** Keys of CAs are in other hands, as somebody says. */
    | 'compromiseDeclared';
  /**
   * Of a change: it begins and may have been made from then on; it is done; or a further attempt found it made, by one that
   * died before it could say so (a command that a person runs again cannot know whether that one died). Absent: somebody's
   * word, which changes nothing.
   */
  readonly stage?: 'begins' | 'done' | 'found';
  /** `namespace/…`, `authority/…` or `target/…`. */
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly who?: string;
  /** How sure it is that it was them. */
  readonly identity?: 'claimed' | 'verified' | 'policy';
  readonly why?: string;
  /** When they said so (RFC 3339), where the event comes later: a removal may wait days for its window. */
  readonly decidedAt?: string;
  /** Digest of the evidence. */
  readonly evidence?: string;
  /** In the audit log of Temporal Cloud. */
  readonly operationId?: string;
}

/** Where it was done. */
export interface AuditContext {
  readonly workflowId?: string;
  readonly runId?: string;
  readonly activity?: string;
  /** SHA-256 of the resolved configuration; absent where it was done without one. */
  readonly configuration?: string;
}

export interface Chained {
  /** Of the entry before it; of the first, `firstOfChain`. */
  readonly previous: string;
  /** SHA-256 of the entry without this field, as JSON. */
  readonly hash: string;
}

export interface AuditEvent extends AuditFacts, AuditContext, Chained {
  readonly version: 1;
  /** RFC 3339. */
  readonly at: string;
  /** One per process: within it, sequence numbers and hashes have no gap. */
  readonly stream: string;
  readonly sequence: number;
}

export const firstOfChain = '0'.repeat(64);

/** The ends that a rotation cannot put on record itself: the hourly watch does, from what Temporal knows. */
export const cutShort = ['terminated', 'timed out'] as const;
export type CutShort = (typeof cutShort)[number];

/** How a CA rotation ended, for its record. */
export interface RotationEnd {
  readonly authority: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** As they claim. */
  readonly startedBy?: string;
  readonly outcome: CaRotationResult['outcome'] | 'failed' | 'cancelled' | CutShort;
  readonly reason?: string;
  /** Absent where it failed. */
  readonly result?: CaRotationResult;
}

export interface RotationRecord extends RotationEnd, AuditContext, Chained {
  readonly version: 1;
  readonly endedAt: string;
  /** RFC 3339; absent where it was written as the rotation ended. */
  readonly recordedAt?: string;
  /** Which CA was which when it was written. */
  readonly cas: AuthorityRecord;
}
