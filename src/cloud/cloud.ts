import type { CertificateFacts } from '../domain/certificate.js';
import type { CloudIdentity } from '../domain/cloud-key.js';
import type { CertificateFilter } from '../domain/filters.js';

/**
 * Port: what changes a namespace of Temporal Cloud. Only the CA bundle and the certificate filters are ever changed.
 * Throws RotationError: the Cloud* types, BundleUnreadable, and whatever `decide` throws (a refusal: nothing is written).
 */
export interface Cloud {
  /** The namespace as it is now. */
  readNamespace(namespace: string): Promise<NamespaceTrust>;
  /**
   * Read, decide, write, in one call (design, invariant 5): reads the namespace, lets `decide` say what bundle and filters
   * are wanted *of the state just read* (what else that rests on is read in it, too: it is called anew each time, and may be
   * called long after this began), writes the whole spec back under its resource version, awaits the
   * operation, reads again and proves that the wanted state is there and nothing else changed. A lost race is read and
   * decided again. Nothing to change succeeds with `changed: false`.
   */
  changeTrust(
    namespace: string,
    decide: (current: NamespaceTrust) => WantedTrust | Promise<WantedTrust>,
    options: ChangeOptions,
  ): Promise<TrustChange>;
  /** Whose the API key is; undefined where the cloud does not tell. */
  identity(): Promise<CloudIdentity | undefined>;
  close(): Promise<void>;
}

export interface NamespaceTrust {
  readonly namespace: string;
  readonly resourceVersion: string;
  /** Accepted client CAs, in the namespace's order. */
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
  /** `host:port` of the namespace endpoint (mtls_grpc_address), as the cloud names it; empty when it names none. */
  readonly endpoints: readonly string[];
  /** An operation that is changing the namespace now. */
  readonly operationInProgress?: string;
  /** mTLS is enabled on the namespace. */
  readonly mtlsEnabled: boolean;
}

export interface WantedTrust {
  readonly bundle: readonly CertificateFacts[];
  readonly filters: readonly CertificateFilter[];
}

export interface ChangeOptions {
  /** Names the rotation; part of the operation id (safety 10), so that a retry is the same operation. */
  readonly generation: string;
  /** Called while waiting, about once a second, with one line for a person: heartbeat here. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** An undo: nothing but the API key may stand in its way (safety 15). What else fails on the way is told in the notes. */
  readonly byKeyAlone?: boolean;
  /** An operation that has not ended after so long is CloudBusy (milliseconds); the same change sent again waits on for it. */
  readonly operationDeadlineMs?: number;
}

export interface TrustChange {
  readonly changed: boolean;
  /** Id of the operation in Temporal Cloud's audit log, when there was one. */
  readonly operationId?: string;
  readonly before: NamespaceTrust;
  readonly after: NamespaceTrust;
  /** What a person should know of how it went. */
  readonly notes?: readonly string[];
}
