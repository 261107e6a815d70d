import type { CloudStore } from './store.js';

/** What the services of the cloud answer from, and how. */
export interface ServiceOptions {
  readonly store: CloudStore;
  /** The endpoint that the namespace names as its own. */
  readonly mtlsAddressOf: (namespace: string) => string;
  /** Whose the API key is (GetCurrentIdentityResponse); by default a service account with Namespace Admin on every namespace. */
  readonly identity?: object;
  /** An operation's check_duration. */
  readonly checkDurationMs: number;
  /**
   * What a write through tcld's older services does to fields that they have no word for: lost, unless this is set. Which of
   * the two Temporal Cloud does is not documented.
   */
  readonly tcldKeepsFields?: boolean;
}

/** A gRPC service of unary methods, bytes in and bytes out. Handlers throw CloudRefusal. */
export interface Service {
  /** Full name. */
  readonly path: string;
  readonly handlers: Readonly<Record<string, (request: Uint8Array) => Uint8Array>>;
}
