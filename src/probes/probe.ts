import type { KeyPair } from '../x509/pair.js';

/**
 * Port: the connection test with a candidate leaf, over fresh connections each time; never throws for what the far side does.
 * A probe that runs a program throws RotationError `ToolMissing` or `ToolUnsuitable`.
 */
export interface Probe {
  test(leaf: KeyPair, endpoint: Endpoint): Promise<ProbeResult>;
}

export interface Endpoint {
  readonly namespace: string;
  /** `host:port`. */
  readonly address: string;
  /** TLS server name (SNI); absent = the host of the address. */
  readonly serverName?: string;
  /** Roots that signed the server's certificate, PEM; absent = the system's. */
  readonly serverRoots?: string;
}

export type ProbeResult =
  | { readonly outcome: 'accepted'; readonly remote: string }
  /**
   * The far side answered and said no. `tls`: to the certificate, in the handshake; reason is the alert's name. `rpc`: to the
   * names in it (a filter refuses any call) or to the namespace; reason begins with what was refused.
   */
  | { readonly outcome: 'refused'; readonly layer: 'tls' | 'rpc'; readonly reason: string; readonly remote?: string }
  /** No answer about the certificate: DNS, route, port, deadline, a broken connection, a server that is not trusted. */
  | { readonly outcome: 'unreachable'; readonly reason: string };

/** Of `host:port`; an IPv6 address has brackets there and none here. */
export function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
