import { presented } from './chain.js';
import type { KeyPair } from './pair.js';

/** What a server's certificate is checked against, where that is not its address and the system's roots. */
export interface ServerIdentity {
  readonly serverName?: string | undefined;
  /** PEM. */
  readonly serverRoots?: string | undefined;
}

/** `tls` of a Connection or NativeConnection that presents `pair`, chain included. The key is revealed to TLS, and nowhere else. */
export function clientTls(pair: KeyPair, { serverName, serverRoots }: ServerIdentity) {
  return {
    ...(serverName && { serverNameOverride: serverName }),
    ...(serverRoots && { serverRootCACertificate: Buffer.from(serverRoots) }),
    clientCertPair: { crt: Buffer.from(presented(pair)), key: Buffer.from(pair.key.reveal()) },
  };
}
