import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach } from 'node:test';
import type { ChangeOptions, Cloud, NamespaceTrust, WantedTrust } from '../../../src/cloud/cloud.js';
import { readTrust, withTrust } from '../../../src/cloud/namespace-spec.js';
import { planBundle } from '../../../src/domain/bundle.js';
import type { CertificateFacts } from '../../../src/domain/certificate.js';
import { failures, type FailureType } from '../../../src/domain/failures.js';
import type { CertificateFilter } from '../../../src/domain/filters.js';
import { startCloudApi, type CloudApi } from '../../../src/sandbox/cloud/control-plane.js';
import { CloudStore, newSpec } from '../../../src/sandbox/cloud/store.js';
import { readCertificates } from '../../../src/x509/read.js';
import { aCa } from '../../support/certificates.js';
import { makeServerCertificate, type ServerCertificate } from '../../support/server-certificate.js';

/** The sandbox's Temporal Cloud, and how to reach it. */
export interface CloudSandbox {
  readonly address: string;
  readonly apiKey: string;
  /** Roots of its server certificate. */
  readonly caFile: string;
}

/** One kind of Cloud. */
export interface CloudRow {
  readonly kind: string;
  readonly open: (sandbox: CloudSandbox) => Promise<Cloud>;
  /** The service that this kind writes namespaces with, and the method that it reads an operation with. */
  readonly service: string;
  readonly operationMethod: string;
}

export const namespace = 'orders.acct1';
export const generation = 'run-1';
const day = 86_400_000;
/** Long enough for an answer that is lost for good, whatever retries a kind has of its own. */
export const always = 1000;
/** How long an operation takes: `untilSettled` ends when the test says so. */
export const [soon, untilSettled] = [60, 3_600_000];

export interface Change {
  readonly add?: readonly CertificateFacts[];
  readonly remove?: readonly CertificateFacts[];
  readonly filters?: readonly CertificateFilter[];
  /** CAs that leaves in use chain to. */
  readonly inUse?: readonly CertificateFacts[];
}

/** What activities decide with. */
export const planned =
  ({ add = [], remove = [], filters, inUse = [] }: Change) =>
  (current: NamespaceTrust): WantedTrust => ({
    bundle: planBundle({
      current: current.bundle,
      add,
      remove: remove.map((ca) => ca.fingerprint),
      now: new Date(),
      leavesInUse: inUse.map(({ fingerprint }) => ({ name: 'worker', chainsTo: [fingerprint] })),
      issuers: new Map(),
    }).bundle,
    filters: filters ?? current.filters,
  });

export const fingerprints = (...cas: readonly CertificateFacts[]) => cas.map((ca) => ca.fingerprint);

/** The failure of that name, as the closed set describes it. */
export const fails = (type: FailureType) => (error: unknown) => {
  const { name, retryable, fix } = error as { name: string; retryable: boolean; fix: string };
  assert.deepEqual({ name, retryable, fix }, { name: type, ...failures[type] });
  return true;
};

/** Only the first call counts. */
export function once<T>(work: (value: T) => void): (value: T) => void {
  let done = false;
  return (value) => {
    if (!done) work(value);
    done = true;
  };
}

/** A namespace of the sandbox's Temporal Cloud that trusts the CA `one`, and the Cloud that changes it. */
export class CloudWorld {
  readonly row: CloudRow;
  readonly #folder = mkdtempSync(join(tmpdir(), 'cert-rotation-'));
  #certificate!: ServerCertificate;
  one!: CertificateFacts;
  two!: CertificateFacts;
  three!: CertificateFacts;
  expired!: CertificateFacts;
  expiredToo!: CertificateFacts;
  store!: CloudStore;
  api!: CloudApi;
  cloud!: Cloud;
  operationMs = soon;
  /** Runs when an operation has had its effect and does not say so yet. */
  onEffect = (): void => undefined;

  constructor(row: CloudRow) {
    this.row = row;
  }

  async prepare(): Promise<void> {
    this.#certificate = makeServerCertificate(this.#folder);
    const past = { now: new Date(Date.now() - 10 * day), lifetimeMs: day };
    const made = async (options = {}) => (await aCa(options)).certificate;
    [this.one, this.two, this.three] = await Promise.all([made(), made(), made()]);
    [this.expired, this.expiredToo] = await Promise.all([made(past), made(past)]);
  }

  async begin(): Promise<void> {
    this.operationMs = soon;
    this.onEffect = () => undefined;
    const operationMs = () => this.operationMs;
    this.store = new CloudStore({
      get operationMs() {
        return operationMs();
      },
      onTrust: async () => this.onEffect(),
    });
    this.store.create(namespace, newSpec('orders', { bundlePem: this.one.pem, filters: [] }));
    await this.start();
  }

  /** `identity`: what the cloud answers to whose the API key is. */
  async start(options: { identity?: object } = {}): Promise<void> {
    this.api = await startCloudApi({
      store: this.store,
      ...this.#certificate,
      ...options,
      mtlsAddressOf: () => 'orders.example:7233',
      checkDurationMs: 20,
    });
    this.cloud = await this.open();
  }

  async stop(): Promise<void> {
    await this.cloud.close();
    await this.api.stop();
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  readonly open = ({ apiKey = this.api.apiKey } = {}): Promise<Cloud> =>
    this.row.open({ address: this.api.address, apiKey, caFile: this.#certificate.certificateFile });

  readonly editBundle = (bundle: readonly CertificateFacts[], filters?: readonly CertificateFilter[]) =>
    this.store.edit(namespace, (spec) => withTrust(spec, { bundle, filters }));

  readonly change = (wanted: Change, options: Partial<ChangeOptions> = {}) =>
    this.cloud.changeTrust(namespace, planned(wanted), { generation, ...options });

  readonly spec = () => this.store.get(namespace).spec;
  readonly bundle = () => fingerprints(...readCertificates(readTrust(this.spec()).bundlePem));
  readonly writes = () =>
    this.api.requests.filter(({ method, service }) => method === 'UpdateNamespace' && service === this.row.service)
      .length;
}

/** Of the `describe` that this is called in: begun anew for each of its tests. */
export function cloudWorld(row: CloudRow): CloudWorld {
  const world = new CloudWorld(row);
  before(() => world.prepare());
  beforeEach(() => world.begin());
  afterEach(() => world.stop());
  after(() => world.end());
  return world;
}
