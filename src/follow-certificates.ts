import { Runtime } from '@temporalio/worker';
import { addressFrom } from './temporal/connect.js';
import { FollowedConnection } from './temporal/followed-connection.js';

export type { FollowedConnection } from './temporal/followed-connection.js';

/** Whatever is left out comes from Temporal's own TEMPORAL_* variables and profile. */
export interface FollowOptions {
  /** host:port. */
  readonly address?: string;
  readonly namespace?: string;
  /** PEM, with the intermediates behind the leaf: `tls.crt` of a mounted Secret. */
  readonly certificateFile?: string;
  /** PEM: `tls.key`. */
  readonly keyFile?: string;
  /** TLS server name; absent: the host of the address. */
  readonly serverName?: string;
  /** PEM roots of the server; absent: those of the system. */
  readonly serverRootsFile?: string;
}

/**
 * For any TypeScript process: connects, follows the certificate files, moves workers and client onto a new certificate without
 * a restart, and reports which certificate is presented, so that a target with `rollout: none` is proved to be on it.
 *
 *     const certificates = await followCertificates({ address, namespace, certificateFile, keyFile });
 *     const worker = await Worker.create({ connection: certificates.native, namespace, taskQueue, workflowsPath });
 *     certificates.follow(worker);
 *
 * Or without a worker: `certificates.follow()`, and `certificates.client()`.
 *
 * Throws RotationError: TemporalProfileInvalid, ReferenceUnreadable, TemporalUnreachable, TemporalRefused.
 */
export async function followCertificates(options: FollowOptions = {}): Promise<FollowedConnection> {
  const { address, namespace, certificateFile, keyFile, serverName, serverRootsFile } = options;
  const files = certificateFile && keyFile ? { certificateFile, keyFile, serverName, serverRootsFile } : undefined;
  return FollowedConnection.connect(addressFrom({ address, namespace, tls: files }), {
    info: (fields, message) => Runtime.instance().logger.info(message, { ...fields }),
    warn: (fields, message) => Runtime.instance().logger.warn(message, { ...fields }),
  });
}
