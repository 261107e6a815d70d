import type { Client } from '@temporalio/client';
import type { Dependencies } from '../../src/activities/index.js';
import type { ChangeOptions, Cloud, NamespaceTrust, TrustChange, WantedTrust } from '../../src/cloud/cloud.js';
import { configSchema, type Config } from '../../src/config/schema.js';
import type { AuditContext, AuditFacts } from '../../src/domain/audit.js';
import type { AuthorityRecord } from '../../src/domain/authority.js';
import type { CertificateFacts, Fingerprint } from '../../src/domain/certificate.js';
import type { CloudIdentity } from '../../src/domain/cloud-key.js';
import type { SeenClient } from '../../src/domain/clients.js';
import { RotationError } from '../../src/domain/failures.js';
import { admits, sameFilters, type CertificateFilter } from '../../src/domain/filters.js';
import { entries } from '../../src/domain/ids.js';
import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import type { Issued, Issuer } from '../../src/issuers/issuer.js';
import type { Entry, Keystore, StoredEntry } from '../../src/keystore/keystore.js';
import type { Endpoint, Probe, ProbeResult } from '../../src/probes/probe.js';
import type { Adoption, Delivery, Poller, Progress, Target, TargetFacts } from '../../src/targets/target.js';
import { anchorsOf } from '../../src/x509/chain.js';
import type { KeyPair } from '../../src/x509/pair.js';

/** Keystore in memory, with the same conditional writes. */
export class FakeKeystore implements Keystore {
  readonly entries = new Map<string, StoredEntry>();
  /** Names of all that was ever created. */
  readonly created: string[] = [];
  /** All that was ever stored, in order. */
  readonly stored: StoredEntry[] = [];
  beforeUpdate: () => void = () => undefined;
  #version = 0;

  async get(name: string): Promise<StoredEntry | undefined> {
    return this.entries.get(name);
  }

  async create(name: string, entry: Entry): Promise<StoredEntry> {
    if (this.entries.has(name)) throw new RotationError('KeystoreConflict', `${name} exists.`);
    this.created.push(name);
    return this.#store(name, entry);
  }

  async update(name: string, entry: Entry, version: string): Promise<StoredEntry> {
    this.beforeUpdate();
    if (this.entries.get(name)?.version !== version) throw new RotationError('KeystoreConflict', `${name} changed.`);
    return this.#store(name, entry);
  }

  async delete(name: string): Promise<void> {
    this.entries.delete(name);
  }

  async list(prefix: string) {
    return [...this.entries.values()].filter(({ name }) => name.startsWith(prefix));
  }

  #store(name: string, entry: Entry): StoredEntry {
    const stored = { ...entry, name, version: String((this.#version += 1)) };
    this.entries.set(name, stored);
    this.stored.push(stored);
    return stored;
  }
}

/** Temporal Cloud in memory: one bundle and filters per namespace. Plant failures in `failing`, or look at `writes`. */
export class FakeCloud implements Cloud {
  readonly namespaces = new Map<string, NamespaceTrust>();
  readonly writes: { readonly namespace: string; readonly generation: string }[] = [];
  /** What a person should know of each change that is made. */
  notes: readonly string[] = [];
  /** The same of what an earlier change lost whose process died: the next change puts it back. */
  owed: readonly string[] = [];
  /** An operation of somebody else, which a change waits for. */
  whileBusy: (generation: string) => void | Promise<void> = () => undefined;
  /** Called before each change is written. */
  beforeWrite: (generation: string, namespace: string) => void | Promise<void> = () => undefined;
  /** Called after it was written, before the caller knows. */
  afterWrite: (generation: string) => void | Promise<void> = () => undefined;

  async readNamespace(namespace: string): Promise<NamespaceTrust> {
    const found = this.namespaces.get(namespace);
    if (!found) throw new RotationError('CloudNotFound', `No namespace ${namespace}.`);
    return found;
  }

  async changeTrust(
    namespace: string,
    decide: (current: NamespaceTrust) => WantedTrust | Promise<WantedTrust>,
    { generation, onProgress }: ChangeOptions,
  ): Promise<TrustChange> {
    onProgress?.(`changing ${namespace}`);
    await this.whileBusy(generation);
    const before = await this.readNamespace(namespace);
    const wanted = await decide(before);
    const set = (cas: readonly CertificateFacts[]) => JSON.stringify(cas.map((ca) => ca.fingerprint).sort());
    if (set(wanted.bundle) === set(before.bundle) && sameFilters(wanted.filters, before.filters))
      return { changed: false, before, after: before, notes: this.#settle() };
    await this.beforeWrite(generation, namespace);
    const after = { ...before, ...wanted, resourceVersion: String(Number(before.resourceVersion) + 1) };
    this.namespaces.set(namespace, after);
    this.writes.push({ namespace, generation });
    await this.afterWrite(generation);
    return { changed: true, operationId: 'operation', before, after, notes: [...this.#settle(), ...this.notes] };
  }

  #settle(): readonly string[] {
    const { owed } = this;
    this.owed = [];
    return owed;
  }

  /** Undefined: the cloud does not tell. */
  key: CloudIdentity | undefined = {
    kind: 'service account',
    name: 'rotation',
    keyExpires: '2999-01-01T00:00:00.000Z',
    accountRole: 'read',
    permissions: { 'booking.acct': 'admin' },
  };

  async identity(): Promise<CloudIdentity | undefined> {
    return this.key;
  }

  async close(): Promise<void> {}
}

/** Admits what the bundle and the filters of the namespace admit, unless `answer` says otherwise. */
export class FakeProbe implements Probe {
  readonly #cloud: FakeCloud;
  answer: (leaf: KeyPair, endpoint: Endpoint) => ProbeResult | undefined = () => undefined;

  constructor(cloud: FakeCloud) {
    this.#cloud = cloud;
  }

  async test(leaf: KeyPair, endpoint: Endpoint): Promise<ProbeResult> {
    const planted = this.answer(leaf, endpoint);
    if (planted) return planted;
    const { bundle, filters } = await this.#cloud.readNamespace(endpoint.namespace);
    const remote = endpoint.address;
    if (anchorsOf(leaf, bundle).length === 0) return { outcome: 'refused', layer: 'tls', reason: 'unknown ca' };
    if (!admits(filters, leaf.certificate)) return { outcome: 'refused', layer: 'rpc', reason: 'filtered', remote };
    return { outcome: 'accepted', remote };
  }
}

export interface FakePod {
  readonly name: string;
  /** The leaf that it started with. */
  leaf: Fingerprint;
  polls: boolean;
  ready: boolean;
}

/** A Secret and the pods that use it. Plant failures in `fail`. */
export class FakeTarget implements Target {
  pair: KeyPair | undefined;
  /** Those that were in place before. */
  readonly former = new Map<Fingerprint, KeyPair>();
  readonly pods: FakePod[] = [];
  readonly deliveries: Fingerprint[] = [];
  readonly rollouts: Fingerprint[] = [];
  /** Why it misses some of its pods while it rolls out. */
  gap: string | undefined;
  /** Called with the verb before each call. */
  before: (verb: keyof Target) => void = () => undefined;
  /** Called for each adoption, as the real one asks who polls. */
  readonly #pollers: () => Promise<unknown>;

  constructor(pollers: () => Promise<unknown>) {
    this.#pollers = pollers;
  }

  async inspect(): Promise<TargetFacts> {
    this.before('inspect');
    return {
      ...(this.pair && { current: this.pair.certificate }),
      consumers: ['Deployment booking/worker'],
      warnings: ['one replica'],
      ...(this.gap && { gap: this.gap }),
    };
  }

  async read(): Promise<KeyPair | undefined> {
    this.before('read');
    return this.pair;
  }

  async deliver(leaf: KeyPair): Promise<Delivery> {
    this.before('deliver');
    if (this.pair?.certificate.fingerprint !== leaf.certificate.fingerprint)
      this.deliveries.push(leaf.certificate.fingerprint);
    if (this.pair) this.former.set(this.pair.certificate.fingerprint, this.pair);
    this.pair = leaf;
    return this.#delivery(leaf);
  }

  async delivered(): Promise<Delivery | undefined> {
    this.before('delivered');
    return this.pair && this.#delivery(this.pair);
  }

  #delivery({ certificate }: KeyPair): Delivery {
    return { leaf: certificate.fingerprint, at: '2026-01-01T00:00:00.000Z' };
  }

  async rollOut(delivery: Delivery, _progress?: Progress, restarting = () => {}): Promise<void> {
    this.before('rollOut');
    if (this.pods.some(({ leaf }) => leaf !== delivery.leaf)) restarting();
    this.rollouts.push(delivery.leaf);
    for (const pod of this.pods) pod.leaf = delivery.leaf;
  }

  async adoption(delivery: Delivery): Promise<Adoption> {
    this.before('adoption');
    await this.#pollers();
    const holders = this.pods.map(({ name, leaf, ready }) => {
      const evidence = leaf === delivery.leaf ? (ready ? 'started with the leaf' : 'is not ready') : 'has another leaf';
      return { name, adopted: leaf === delivery.leaf && ready, evidence };
    });
    return { adopted: holders.length > 0 && holders.every((holder) => holder.adopted), holders };
  }
}

export const booking = 'booking.acct';

/** An authority `booking` with its CA `old`, a target `worker` with two pods on a leaf of it, and one namespace. */
export interface World {
  readonly deps: Dependencies;
  readonly config: Config;
  readonly keystore: FakeKeystore;
  readonly cloud: FakeCloud;
  readonly probe: FakeProbe;
  readonly target: FakeTarget;
  /** Other targets that were configured, by name. */
  readonly others: Map<string, FakeTarget>;
  readonly old: KeyPair;
  /** All that its issuer made. */
  readonly issued: KeyPair[];
  /** Pollers besides the pods. */
  readonly strangers: Poller[];
  /** Called before the pollers are read. */
  beforePollers: () => void;
  /** Ahead of the real time by so much. */
  /** Who is found in histories. */
  clients: readonly SeenClient[];
  clockOffsetMs: number;
  /** Once set (milliseconds since the epoch), time stands still there until the test moves it. */
  frozenAt: number | undefined;
  clusterOffsetMs: number;
  /** Workflows that are running, by id, and the activities that each has begun. */
  readonly running: Map<string, readonly string[]>;
  /** What was put on record, in order. */
  readonly audited: (AuditFacts & AuditContext)[];
  record(): AuthorityRecord;
  bundle(): readonly Fingerprint[];
  filters(): readonly CertificateFilter[];
  /** A leaf of that CA for the target. */
  leafOf(ca: KeyPair, options?: { lifetimeMs?: number; now?: Date }): Promise<KeyPair>;
  /** The state before a removal: both CAs trusted, the target on a leaf of `next`, `old` marked as retiring. */
  moved(): Promise<KeyPair>;
}

const issuer = createBuiltinIssuer();
const day = 86_400_000;

export interface WorldOptions {
  /** Wanted filters of the namespace. */
  readonly filters?: readonly CertificateFilter[];
  /** Merged over the target's configuration. */
  readonly target?: object;
  /** Merged over the authority's configuration. */
  readonly authority?: object;
  /** Merged over the timing, which is of milliseconds. */
  readonly timing?: object;
  /** Merged over the whole configuration: windows, notifiers. */
  readonly config?: object;
  /** The authority's CA, if another than one of its issuer; trusted with its chain. */
  readonly old?: KeyPair;
}

export async function aWorld(configuration: WorldOptions = {}): Promise<World> {
  const config = configSchema.parse({
    version: 1,
    temporal: { namespace: booking },
    cloud: { kind: 'ops-api', apiKey: { env: 'NO_KEY' } },
    keystore: { kind: 'kubernetes', allowPlaintext: true },
    namespaces: {
      [booking]: { endpoints: ['127.0.0.1:1'], ...(configuration.filters && { filters: configuration.filters }) },
    },
    authorities: {
      booking: {
        issuer: { kind: 'builtin', algorithm: 'P-256' },
        subject: { organization: 'Acme' },
        namespaces: [booking],
        ...configuration.authority,
      },
    },
    targets: {
      worker: {
        authority: 'booking',
        namespace: 'booking',
        secret: 'worker-tls',
        subject: { commonName: 'worker' },
        algorithm: 'P-256',
        taskQueues: [{ namespace: booking, name: 'booking' }],
        ...configuration.target,
      },
    },
    timing: {
      connectionAge: '300ms',
      connectionAgeGrace: '100ms',
      secretPropagation: '0ms',
      rolloutDeadline: '1s',
      proof: { successes: 2, over: '0ms', deadline: '2s' },
      soak: '400ms',
      watch: '400ms',
      ...configuration.timing,
    },
    ...configuration.config,
  });
  const old = configuration.old ?? (await aCa(1));
  const keystore = new FakeKeystore();
  const owner = 'authority/booking';
  await keystore.create(entries.ca('booking', old.certificate.fingerprint), { ...old, owner });
  const current = old.certificate.fingerprint;
  await keystore.create(entries.authority('booking'), { record: { generation: 1, current, signing: current }, owner });
  const cloud = new FakeCloud();
  cloud.namespaces.set(booking, {
    namespace: booking,
    resourceVersion: '1',
    bundle: [old.certificate, ...(old.chain ?? [])],
    filters: [],
    endpoints: [],
    mtlsEnabled: true,
  });
  const probe = new FakeProbe(cloud);
  const target = new FakeTarget(() => world.deps.pollers({ namespace: booking, name: 'booking' }));
  const leafOf: World['leafOf'] = (ca, { lifetimeMs = 30 * day, now = new Date() } = {}) =>
    issuer.issueLeaf(ca, { subject: { commonName: 'worker' }, algorithm: 'P-256', lifetimeMs, now });
  target.pair = await leafOf(old);
  for (const name of ['worker-1', 'worker-10'])
    target.pods.push({ name, leaf: target.pair.certificate.fingerprint, polls: true, ready: true });

  const world: World = {
    config,
    keystore,
    cloud,
    probe,
    target,
    others: new Map(),
    old,
    issued: [],
    strangers: [],
    clients: [],
    beforePollers: () => undefined,
    clockOffsetMs: 0,
    frozenAt: undefined,
    clusterOffsetMs: 0,
    running: new Map(),
    audited: [],
    record: () => keystore.entries.get(entries.authority('booking'))!.record as AuthorityRecord,
    bundle: () => cloud.namespaces.get(booking)!.bundle.map((ca) => ca.fingerprint),
    filters: () => cloud.namespaces.get(booking)!.filters,
    leafOf,
    moved: () => move(world),
    deps: {
      config,
      configDigest: 'digest',
      keystore,
      cloud,
      probe,
      issuer: () => recordedIssuer(world.issued),
      assertPrograms: async () => undefined,
      target: (name) => world.others.get(name) ?? target,
      notifier: (name) => {
        throw new RotationError('UnknownNotifier', name);
      },
      endpoints: (namespace) => [{ namespace, address: '127.0.0.1:1' }],
      pollers: async (queue) => {
        world.beforePollers();
        const lastAccessTime = new Date(world.deps.now().getTime() + world.clusterOffsetMs).toISOString();
        const [other] = [...world.others].filter(([name]) =>
          config.targets[name]!.taskQueues.some(({ name: polled }) => polled === queue.name),
        );
        const pods = (other?.[1] ?? target).pods.filter(({ polls }) => polls);
        return [...pods.map(({ name }) => ({ identity: `1@${name}`, lastAccessTime })), ...world.strangers];
      },
      clients: async () => world.clients,
      client: () => clientThatKnows(world.running),
      ownCertificate: async () => undefined,
      searchAttributes: false,
      audit: (event) => void world.audited.push(event),
      now: () => new Date(world.frozenAt ?? Date.now() + world.clockOffsetMs),
      close: async () => undefined,
      clusterTime: async () => new Date(1000 * Math.floor((world.deps.now().getTime() + world.clusterOffsetMs) / 1000)),
    },
  };
  return world;
}

function recordedIssuer(issued: KeyPair[]): Issuer {
  const noted = (made: Issued): Issued => {
    issued.push(made);
    return made;
  };
  return {
    createCa: async (request) => noted(await issuer.createCa(request)),
    issueLeaf: async (ca, request) => noted(await issuer.issueLeaf(ca, request)),
  };
}

/** A CA of the authority, as the issuer makes it. */
export function aCa(generation: number, options: { now?: Date; lifetimeMs?: number } = {}): Promise<KeyPair> {
  const { now = new Date(), lifetimeMs = 365 * day } = options;
  return issuer.createCa({ subject: { organization: 'Acme' }, algorithm: 'P-256', generation, lifetimeMs, now });
}

async function move(world: World): Promise<KeyPair> {
  const next = await aCa(2);
  const { fingerprint } = next.certificate;
  await world.keystore.create(entries.ca('booking', fingerprint), { ...next, owner: 'authority/booking' });
  const entry = (await world.keystore.get(entries.authority('booking')))!;
  const current = world.old.certificate.fingerprint;
  const record = {
    generation: 2,
    current,
    next: fingerprint,
    signing: fingerprint,
    retiring: current,
    rotation: 'run',
  };
  await world.keystore.update(entry.name, { ...entry, record }, entry.version);
  const trust = world.cloud.namespaces.get(booking)!;
  world.cloud.namespaces.set(booking, { ...trust, bundle: [...trust.bundle, next.certificate] });
  world.target.pair = await world.leafOf(next);
  for (const pod of world.target.pods) pod.leaf = world.target.pair.certificate.fingerprint;
  return next;
}

function clientThatKnows(running: World['running']): Client {
  const getHandle = (workflowId: string) => ({
    describe: async () => {
      if (running.has(workflowId)) return { status: { name: 'RUNNING' } };
      throw Object.assign(new Error('not found'), { name: 'WorkflowNotFoundError' });
    },
    fetchHistory: async () => ({
      events: running.get(workflowId)!.map((name, index) => ({
        eventId: index + 1,
        activityTaskScheduledEventAttributes: { activityType: { name } },
      })),
    }),
  });
  return { workflow: { getHandle }, options: { namespace: booking } } as unknown as Client;
}
