import { Client, Connection } from '@temporalio/client';
import { Authorities } from '../activities/authorities.js';
import type { Dependencies } from '../activities/index.js';
import { probeLeaf } from '../activities/trust.js';
import type { Fingerprint } from '../domain/certificate.js';
import type { Poller } from '../targets/target.js';
import { pollersOf } from '../temporal/pollers.js';
import { presented } from '../x509/chain.js';

interface View {
  readonly ca: Fingerprint;
  readonly client: Client;
}

/**
 * Who polls the real namespaces, while nobody here has a certificate that is let in: seen with a leaf of the new CA, made for
 * this and never stored. As long as a namespace does not trust that CA, nobody polls it.
 */
export class OwnView {
  readonly #deps: () => Dependencies;
  readonly #authority: string;
  readonly #views = new Map<string, View>();

  constructor(authority: string, deps: () => Dependencies) {
    this.#authority = authority;
    this.#deps = deps;
  }

  async pollers(taskQueue: { namespace: string; name: string }): Promise<readonly Poller[]> {
    const { next, signing } = await new Authorities(this.#deps()).record(this.#authority);
    const ca = next ?? signing;
    const { bundle } = await this.#deps().cloud.readNamespace(taskQueue.namespace);
    if (!ca || !bundle.some(({ fingerprint }) => fingerprint === ca)) return [];
    return pollersOf(await this.#client(taskQueue.namespace, ca), taskQueue);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#views.values()].map(({ client }) => client.connection.close()));
  }

  async #client(namespace: string, ca: Fingerprint): Promise<Client> {
    const known = this.#views.get(namespace);
    if (known?.ca === ca) return known.client;
    const deps = this.#deps();
    const [endpoint] = deps.endpoints(namespace);
    const leaf = await probeLeaf(deps, { authority: this.#authority, namespace }, ca);
    const { serverName, serverRoots } = endpoint!;
    const connection = await Connection.connect({
      address: endpoint!.address,
      connectTimeout: 10_000,
      tls: {
        ...(serverName && { serverNameOverride: serverName }),
        ...(serverRoots && { serverRootCACertificate: Buffer.from(serverRoots) }),
        clientCertPair: { crt: Buffer.from(presented(leaf)), key: Buffer.from(leaf.key.reveal()) },
      },
    });
    const client = new Client({ connection, namespace });
    await known?.client.connection.close();
    this.#views.set(namespace, { ca, client });
    return client;
  }
}
