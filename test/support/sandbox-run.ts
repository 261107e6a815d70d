import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { readTrust } from '../../src/cloud/namespace-spec.js';
import type { Fingerprint } from '../../src/domain/certificate.js';
import { booking } from '../../src/sandbox/configuration.js';
import { measure, type MeasureOptions, type Measures } from '../../src/sandbox/gateway/measures.js';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/index.js';
import { everyWorkerPolls, leavesIn, targetSecrets } from '../../src/sandbox/traffic.js';
import { readCertificates } from '../../src/x509/read.js';
import { placesWithKeys, recordedKeys } from './key-scan.js';
import { tracesLeft, tracesOf, watchProcesses, witnessedWorker, type ProcessWatch } from './witness.js';

const keysIn = (dir: string): string => join(dir, 'recorded-keys');

type Special = Partial<Pick<MeasureOptions, 'probesShowNoLeaf' | 'leaves'>> & {
  readonly outage?: MeasureOptions['traffic'];
};

/** A sandbox for a file of tests, with some traffic, and what the test itself sees of it. */
export class SandboxRun {
  readonly dir: string;
  readonly sandbox: Sandbox;
  /** Behind the gateway, where no certificate is asked for, and no call is in its record. */
  readonly client: Client;
  /** Every leaf that a target was seen to have. */
  readonly leaves = new Set<Fingerprint>();
  readonly #processes: ProcessWatch;
  #from = 0;

  private constructor(dir: string, sandbox: Sandbox, client: Client, processes: ProcessWatch) {
    this.dir = dir;
    this.sandbox = sandbox;
    this.client = client;
    this.#processes = processes;
  }

  /** @param options what is special about it; given the folder that is gone afterwards */
  static async begin(options: (dir: string) => Omit<SandboxOptions, 'dir'> = () => ({})): Promise<SandboxRun> {
    const dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    const processes = watchProcesses();
    try {
      const special = options(dir);
      const environment = special.workerEnvironment;
      const sandbox = await startSandbox({
        dir: join(dir, 'sandbox'),
        progress: (line) => process.stderr.write(`${line}\n`),
        bookingsPerSecond: 1,
        ...special,
        workerEnvironment: { ...environment, ...witnessedWorker(keysIn(dir), environment?.['NODE_OPTIONS']) },
      });
      const connection = await Connection.connect({ address: sandbox.temporal.address });
      return new SandboxRun(dir, sandbox, new Client({ connection, namespace: booking.namespace }), processes);
    } catch (error) {
      await processes.stop();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#processes.stop();
    await this.client.connection.close();
    await this.sandbox.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Every key that a rotation worker makes or reads is written to this file. */
  get keysFile(): string {
    return keysIn(this.dir);
  }

  /**
   * Where a key that a rotation worker made or read is and must not be.
   * @param clients of the Temporal namespaces that rotations ran in
   */
  async placesWithKeys(...clients: readonly Client[]): Promise<readonly string[]> {
    const traces = await tracesOf(this.sandbox, clients.length > 0 ? clients : [this.client]);
    const places = [...traces, ...(await this.#processes.places())];
    return placesWithKeys(places, await recordedKeys(this.keysFile), tracesLeft);
  }

  /** From here on it is measured. */
  async everyWorkerPolls(): Promise<void> {
    this.#from = await everyWorkerPolls(this.sandbox);
    await this.noteLeaves();
  }

  /** The CAs that a namespace trusts. */
  bundle(namespace: string = booking.namespace): readonly Fingerprint[] {
    const { bundlePem } = readTrust(this.sandbox.store.get(namespace).spec);
    return readCertificates(bundlePem).map(({ fingerprint }) => fingerprint);
  }

  /** To be called after each rotation: whose calls count is known by their leaves. */
  async noteLeaves(): Promise<void> {
    for (const leaf of (await targetSecrets(this.sandbox)).flatMap(leavesIn)) this.leaves.add(leaf);
  }

  /**
   * Of the workers and starters of a namespace, up to the last that the gateway recorded of it.
   * @param more `probesShowNoLeaf` where somebody probes with the Temporal CLI; `leaves`: whose calls count; `outage`: what does not
   */
  async measures(
    { namespace, taskQueue }: Pick<MeasureOptions, 'namespace' | 'taskQueue'> = booking,
    { outage, ...more }: Special = {},
  ): Promise<Measures> {
    const all = await this.sandbox.gateway.record();
    const record = all.filter(({ t }) => !outage || t < outage.from || t > outage.to);
    const to = record.findLast((event) => event.namespace === namespace)!.t;
    return measure(record, { namespace, taskQueue, leaves: this.leaves, traffic: { from: this.#from, to }, ...more });
  }
}
