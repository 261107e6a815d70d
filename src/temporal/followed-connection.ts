import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import { short, type Fingerprint } from '../domain/certificate.js';
import { presentedQueue } from '../domain/reports.js';
import type { KeyPair } from '../x509/pair.js';
import { attemptOf, optionsWith, readPair, type CertificateFiles, type TemporalAddress } from './connect.js';
import { whyNotConnected } from './failures.js';
import { keepReporting } from './reporting.js';

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
  /** Leaf it presents; undefined without mTLS. */
  readonly leaf?: Fingerprint;
}

/**
 * The connections of a process, following its certificate files: a new pair is connected with first (a real RPC); only when
 * that works do workers and client move onto it; the old connections stay until their polls have ended. When it does not
 * work the old ones stay and it is tried again. What it presents it reports to the rotation (domain/reports.ts).
 */
export class FollowedConnection {
  readonly #address: TemporalAddress;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  /** Former connections, whose polls may not have ended yet. */
  readonly #closing = new Map<Connected, NodeJS.Timeout>();
  readonly #workers = new Set<Worker>();
  readonly #client: Client;
  #current: Connected;
  #followed = false;
  /** A process may follow several certificates, and in each of them present another one: each says so for itself. */
  readonly #name = `${processName()}@${randomBytes(4).toString('hex')}`;
  /** By task queue: what is said there. */
  readonly #said = new Map<string, string>();
  /** Ends the reports over the current connection. */
  #reporting = new AbortController();

  private constructor(address: TemporalAddress, log: Log, current: Connected) {
    this.#address = address;
    this.#log = log;
    this.#current = current;
    const { namespace } = address;
    const connection = connectionOfNow(() => this.#current.connection);
    this.#client = new Client({ connection, namespace, identity: processName() });
  }

  static async connect(address: TemporalAddress, log: Log): Promise<FollowedConnection> {
    const pair = address.files && (await readPair(address.files));
    return new FollowedConnection(address, log, await connect(address, pair));
  }

  /** What workers are created with. */
  get native(): NativeConnection {
    return this.#current.native;
  }

  /** Each of its calls goes over the connection of now, however long it is kept. */
  client(): Client {
    return this.#client;
  }

  /** Fingerprint of the leaf that the connections present now. */
  presented(): Fingerprint | undefined {
    return this.#current.leaf;
  }

  /**
   * Follows the files until `close`, and moves `worker` with the client; a process that has only the client gives none. Without
   * mTLS there is nothing to follow.
   */
  follow(worker?: Worker): void {
    if (worker) {
      this.#workers.add(worker);
      worker.connection = this.#current.native;
    }
    if (!this.#address.files || this.#followed) return;
    this.#followed = true;
    if (this.#current.leaf) this.report(presentedQueue, this.#current.leaf);
    void this.#watch(this.#address.files);
  }

  /** Says so from now on, in place of what it said on that task queue before. */
  report(queue: string, value: string): void {
    this.#said.set(queue, value);
    this.#report();
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    this.#reporting.abort();
    for (const timer of this.#closing.values()) clearTimeout(timer);
    await Promise.all([this.#current, ...this.#closing.keys()].map(closeAll));
  }

  async #watch(files: CertificateFiles): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#look(files).catch((error: Error) =>
        this.#log.warn({ reason: error.message }, 'new certificate not usable; keeping the old connection'),
      );
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs).unref());
    }
  }

  /** Over the current connection from here on. */
  #report(): void {
    const [{ connection }, { namespace }] = [this.#current, this.#address];
    this.#reporting.abort();
    this.#reporting = new AbortController();
    const { signal } = this.#reporting;
    for (const [queue, value] of this.#said)
      void keepReporting({ queue, connection, namespace, process: this.#name, value }, signal);
  }

  async #look(files: CertificateFiles): Promise<void> {
    const pair = await readPair(files);
    if (pair.certificate.fingerprint === this.#current.leaf) return;
    const next = await connect(this.#address, pair);
    if (this.#stopped.signal.aborted) return closeAll(next);
    const old = this.#current;
    this.#current = next;
    for (const worker of this.#workers) worker.connection = next.native;
    if (next.leaf) this.report(presentedQueue, next.leaf);
    this.#log.info({ leaf: short(next.leaf ?? '') }, 'connections moved onto the new certificate');
    const timer = setTimeout(() => {
      this.#closing.delete(old);
      void closeAll(old);
    }, oldConnectionLivesMs);
    this.#closing.set(old, timer.unref());
  }
}

function processName(): string {
  return `${process.pid}@${process.env['HOSTNAME'] ?? hostname()}`;
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
    return { native, connection, ...(pair && { leaf: pair.certificate.fingerprint }) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Who keeps it keeps none that is closed meanwhile: whatever is asked of it is asked of the connection of now. */
function connectionOfNow(current: () => Connection): Connection {
  return new Proxy({} as Connection, {
    get(_none, key) {
      const connection = current();
      const value: unknown = Reflect.get(connection, key, connection);
      return typeof value === 'function' ? (value.bind(connection) as unknown) : value;
    },
    getPrototypeOf: () => Connection.prototype,
  });
}

async function closeAll({ connection, native }: Connected): Promise<void> {
  await connection.close();
  await native.close();
}
