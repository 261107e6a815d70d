import { readFileSync } from 'node:fs';
import type { Endpoint } from '../probes/probe.js';
import type { Config } from './schema.js';

/** Where clients of a namespace connect: as configured, else its namespace endpoint (docs.temporal.io/cloud/namespaces). */
export function endpointsOf(config: Config): (namespace: string) => readonly Endpoint[] {
  const all = new Map(
    Object.entries(config.namespaces).map(([namespace, { endpoints, serverName, serverRootsFile }]) => {
      const serverRoots = serverRootsFile ? readFileSync(serverRootsFile, 'utf8') : undefined;
      const addresses = endpoints ?? [`${namespace}.tmprl.cloud:7233`];
      return [
        namespace,
        addresses.map((address) => ({
          namespace,
          address,
          ...(serverName && { serverName }),
          ...(serverRoots && { serverRoots }),
        })),
      ];
    }),
  );
  return (namespace) => all.get(namespace) ?? [];
}
