import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type { LoadedConfig } from '../config/load.js';
import { short, type Fingerprint } from '../domain/certificate.js';
import type { KeyPair } from '../x509/pair.js';
import {
  attemptOf,
  optionsWith,
  readPair,
  temporalAddress,
  type CertificateFiles,
  type TemporalAddress,
} from './connect.js';
import { whyNotConnected } from './failures.js';

/** A server-side long poll lasts about a minute: until then a poll may still use the connection it began on. */
const oldConnectionLivesMs = 70_000;
const lookEveryMs = 1000;

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

interface Connected {
  readonly native: NativeConnection;
  readonly connection: Connection;
  readonly client: Client;
  /** Leaf it presents; undefined without mTLS. */
  readonly leaf?: Fingerprint;
}

/**
 * The worker's own connections, following the certificate files: a new pair is connected with first (a real RPC); only when
 * that works do worker and client move onto it; the old connections stay until their polls have ended. When it does not
 * work the old ones stay and it is tried again.
 */
export class FollowedConnection {
  readonly #address: TemporalAddress;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  readonly #closing = new Set<NodeJS.Timeout>();
  #current: Connected;
  #worker: Worker | undefined;

  private constructor(address: TemporalAddress, log: Log, current: Connected) {
    this.#address = address;
    this.#log = log;
    this.#current = current;
  }

  static async connect(loaded: LoadedConfig, log: Log): Promise<FollowedConnection> {
    const address = temporalAddress(loaded);
    const pair = address.files && (await readPair(address.files));
    return new FollowedConnection(address, log, await connect(address, pair));
  }

  get native(): NativeConnection {
    return this.#current.native;
  }

  client(): Client {
    return this.#current.client;
  }

  /** Fingerprint of the leaf that the worker's connection presents now. */
  presented(): Fingerprint | undefined {
    return this.#current.leaf;
  }

  /** Moves `worker` whenever the files change, until `close`. Without mTLS there is nothing to follow. */
  follow(worker: Worker): void {
    this.#worker = worker;
    if (this.#address.files) void this.#watch(this.#address.files);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    for (const timer of this.#closing) clearTimeout(timer);
    await this.#current.connection.close();
    await this.#current.native.close();
  }

  async #watch(files: CertificateFiles): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#look(files).catch((error: Error) =>
        this.#log.warn({ reason: error.message }, 'new certificate not usable; keeping the old connection'),
      );
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs).unref());
    }
  }

  async #look(files: CertificateFiles): Promise<void> {
    const pair = await readPair(files);
    if (pair.certificate.fingerprint === this.#current.leaf) return;
    const next = await connect(this.#address, pair);
    if (this.#stopped.signal.aborted) return closeAll(next);
    const old = this.#current;
    this.#current = next;
    if (this.#worker) this.#worker.connection = next.native;
    this.#log.info({ leaf: short(next.leaf ?? '') }, 'connections moved onto the new certificate');
    const timer = setTimeout(() => void closeAll(old).finally(() => this.#closing.delete(timer)), oldConnectionLivesMs);
    timer.unref();
    this.#closing.add(timer);
  }
}

/** Throws TemporalUnreachable or TemporalRefused, with the reason of the TLS layer. */
async function connect(address: TemporalAddress, pair: KeyPair | undefined): Promise<Connected> {
  try {
    return await connectBoth(address, pair);
  } catch (error) {
    throw await whyNotConnected(await attemptOf(address, pair), error);
  }
}

async function connectBoth(address: TemporalAddress, pair: KeyPair | undefined): Promise<Connected> {
  const options = await optionsWith(address, pair);
  const { namespace } = address;
  const connection = await Connection.connect(options);
  try {
    await connection.workflowService.describeNamespace({ namespace });
    const native = await NativeConnection.connect({
      address: options.address,
      ...(options.tls !== undefined && { tls: options.tls }),
      ...(typeof options.apiKey === 'string' && { apiKey: options.apiKey }),
    });
    const client = new Client({ connection, namespace });
    return { native, connection, client, ...(pair && { leaf: pair.certificate.fingerprint }) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function closeAll({ connection, native }: Connected): Promise<void> {
  await connection.close();
  await native.close();
}
