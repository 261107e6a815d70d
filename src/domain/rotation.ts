/** What enters and leaves the workflows: requests, plans, results, phases. Everything here is public data. */
import type { Decision } from './approval.js';
import type { CertificateFacts, Fingerprint } from './certificate.js';
import type { Emergency } from './emergency.js';
import type { Subscription } from './notification.js';
import type { CertificateFilter } from './filters.js';

export type CaPhase =
  | 'preflight'
  | 'issue'
  | 'trust'
  | 'filters'
  | 'leaves'
  | 'confirm'
  | 'approve'
  | 'remove'
  | 'watch'
  | 'finish'
  | 'abort';

export type LeafPhase = 'preflight' | 'issue' | 'test' | 'update' | 'rollout' | 'adopt' | 'discard' | 'restore';

/** Which phase an activity belongs to: how `status` reads a history when no worker is there to be asked. */
export const phaseOfActivity: Readonly<Record<string, CaPhase | LeafPhase>> = {
  resolveCaRotation: 'preflight',
  preflightCa: 'preflight',
  issueCa: 'issue',
  trustCa: 'trust',
  proveTrust: 'trust',
  widenFilters: 'filters',
  moveSigner: 'leaves',
  gatherEvidence: 'confirm',
  compareTrust: 'approve',
  markRetiring: 'remove',
  rememberTrust: 'remove',
  removeCa: 'remove',
  restoreTrust: 'remove',
  keepBothCas: 'remove',
  finishCa: 'finish',
  recordRotation: 'finish',
  takeUpNext: 'abort',
  moveSignerBack: 'abort',
  targetsOnCa: 'abort',
  dropCa: 'abort',
  abandonCa: 'abort',
  declareCompromised: 'preflight',
  gatherExposure: 'preflight',
  resolveLeafRotation: 'preflight',
  preflightLeaf: 'preflight',
  issueLeaf: 'issue',
  testConnection: 'test',
  updateTarget: 'update',
  rollOut: 'rollout',
  confirmAdoption: 'adopt',
  discardPairs: 'discard',
  restoreTarget: 'restore',
};

/** Input of `caRotation`, documented for `temporal workflow start`. */
export interface CaRotationRequest {
  readonly authority: string;
  /** Who starts it, as they claim: where two people must approve, it is neither of them. */
  readonly who?: string;
  /** Wait for proofs only, and treat these CAs as compromised. */
  readonly emergency?: Emergency;
}

/** Input of `leafRotation`. A person gives only the target. */
export interface LeafRotationRequest {
  readonly target: string;
  /** Sign with this CA, by name: canaries of a CA rotation. Absent: the authority's signing CA. */
  readonly ca?: Fingerprint;
  /** Renew only when the target's policy says that it is due. Schedules set it. */
  readonly onlyWhenDue?: boolean;
  /** Wait for no maintenance window. */
  readonly urgent?: boolean;
}

/** Input of `scheduledLeafRotation`; without targets, all of them. */
export interface ScheduledLeafRotationRequest {
  readonly targets?: readonly string[];
}

/** The resolved configuration of a CA rotation. Durations in milliseconds. */
export interface CaPlan {
  readonly authority: string;
  readonly namespaces: readonly string[];
  /** In the order of moving: canaries, then (alone) those that reload by themselves and the rotation worker's own, then the others. */
  readonly canaries: readonly string[];
  readonly alone: readonly string[];
  readonly others: readonly string[];
  readonly approval: {
    readonly mode: 'manual' | 'automatic';
    readonly deadlineMs: number;
    readonly remindEveryMs: number;
    /** Two people must approve. */
    readonly secondPerson?: boolean;
    /** Whose signed approval counts; absent: anybody's, as claimed. */
    readonly approvers?: readonly string[];
  };
  /** What the configuration says of clients that never poll, a line each; absent: it declares none. */
  readonly clients?: readonly string[];
  readonly trustSoakMs: number;
  readonly soakMs: number;
  readonly watchMs: number;
  /** So long may a watch go on without being able to look. */
  readonly blindMs: number;
  readonly proofDeadlineMs: number;
  readonly rolloutDeadlineMs: number;
  /** Removals wait for a maintenance window. */
  readonly windowed?: boolean;
  readonly configDigest: string;
  /** The search attributes of this system are registered in the namespace: an unregistered one would hang the workflow. */
  readonly searchAttributes: boolean;
  /** Who is told of this rotation; absent = nobody. */
  readonly notifiers?: readonly Subscription[];
}

export interface LeafPlan {
  readonly target: string;
  readonly authority: string;
  readonly namespaces: readonly string[];
  readonly rolloutDeadlineMs: number;
  readonly proofDeadlineMs: number;
  /** The restart of its workloads waits for a maintenance window. */
  readonly windowed?: boolean;
  readonly configDigest: string;
  readonly searchAttributes: boolean;
  /** Who is told of this rotation; absent = nobody. */
  readonly notifiers?: readonly Subscription[];
}

/** What a leaf rotation found before it began. */
export interface LeafPreflight {
  readonly current?: CertificateFacts;
  readonly consumers: readonly string[];
  readonly warnings: readonly string[];
  /** Why nothing needs to be done; absent = rotate. */
  readonly skip?: string;
  /** Pairs of a run that died are in the keystore, and the target needs none of them. */
  readonly leftOver?: boolean;
}

export interface LeafRotationResult {
  readonly target: string;
  /** `skipped`: nothing needed to be done. `notMoved`: a person let a CA rotation go on without it. */
  readonly outcome: 'rotated' | 'skipped' | 'notMoved';
  /** Why it was not rotated. */
  readonly reason?: string;
  readonly oldFingerprint?: Fingerprint;
  readonly newFingerprint?: Fingerprint;
  readonly notAfter?: string;
  /** When the target's Secret was written, by its own clock. */
  readonly deliveredAt?: string;
}

export interface CaRotationResult {
  readonly authority: string;
  readonly outcome: 'rotated' | 'keptBoth' | 'aborted';
  readonly reason?: string;
  readonly oldFingerprint?: Fingerprint;
  /** Absent after an abort: there is no new CA. */
  readonly newFingerprint?: Fingerprint;
  readonly notAfter?: string;
  readonly leaves: readonly LeafRotationResult[];
  readonly decision?: Decision;
  /** What was decided on. */
  readonly evidence?: { readonly digest: string; readonly facts: readonly string[] };
}

/** What `expiryNotices` did. */
export interface ExpiryNoticesResult {
  /** Notifier and title of each message. */
  readonly told: readonly string[];
  /** Workflow ids of the rotations that it started. */
  readonly started: readonly string[];
}

/** What a namespace trusted before a removal: public data, kept in history for the undo. */
export interface RememberedTrust {
  readonly namespace: string;
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
  /** The CAs of the bundle that the removal takes: only they go back. */
  readonly removing: readonly Fingerprint[];
  /** Those of them whose keys are in other hands, and which stay out (safety 43). Absent: none. */
  readonly leaked?: readonly Fingerprint[];
  /** Targets of other authorities that used the namespace and were well: the watch minds them, too. Absent: none. */
  readonly neighbours?: readonly string[];
}

/** The answer of the `status` query. */
export interface RotationStatus {
  readonly phase: CaPhase | LeafPhase | 'done';
  /** What it waits for, in one line; empty when it works. */
  readonly waitingFor: string;
  readonly proved: readonly string[];
  /** What a person can do next. */
  readonly next: string;
  /** Bad, early, duplicate or contradictory messages; failures that were handled. */
  readonly problems: readonly string[];
  /** What a person is asked to approve; absent: nothing. */
  readonly question?: RemovalQuestion;
  /** Of an emergency: what a compromised CA still opens, a line each. */
  readonly exposed?: readonly string[];
}

/** Public data: what an approval is given for. */
export interface RemovalQuestion {
  /** Digest of the facts: `approve` sends it back. */
  readonly evidence: string;
  /** When they were gathered (RFC 3339): part of what an approver signs. */
  readonly gatheredAt?: string;
  readonly facts: readonly string[];
  /** What cannot be seen, and what is said of it. */
  readonly unseen: readonly string[];
  /** RFC 3339. */
  readonly until: string;
}
