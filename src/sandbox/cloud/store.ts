import { isDeepStrictEqual } from 'node:util';
import { readTrust, restOf, withTrust } from '../../cloud/namespace-spec.js';
import { bytesField, fieldsOf, messageOf } from '../../cloud/wire.js';
import type { CertificateFacts } from '../../domain/certificate.js';
import type { CertificateFilter } from '../../domain/filters.js';
import { readCertificates } from '../../x509/read.js';
import { checkBundle, checkFilters } from './rules.js';

/** The answers that Temporal Cloud gives instead of an operation; the transport chooses the status code. */
export class CloudRefusal extends Error {
  readonly reason: 'NotFound' | 'StaleVersion' | 'Busy' | 'NothingToChange' | 'Invalid' | 'TooManyOperations';

  constructor(reason: CloudRefusal['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface StoredNamespace {
  readonly namespace: string;
  readonly version: number;
  /** NamespaceSpec, encoded: fields that nobody here knows stay as they came. */
  readonly spec: Uint8Array;
  /** The operation that is changing it now. */
  readonly operation?: string;
}

export type OperationState = 'PENDING' | 'IN_PROGRESS' | 'FULFILLED' | 'FAILED' | 'REJECTED' | 'CANCELLED';
/** How an operation ends. `NO_EFFECT` says FULFILLED and leaves the namespace as it was. */
export type Ending = 'FULFILLED' | 'NO_EFFECT' | 'FAILED' | 'REJECTED' | 'CANCELLED';

export interface StoredOperation {
  readonly id: string;
  readonly namespace: string;
  readonly state: OperationState;
  readonly failureReason: string;
}

export interface StoreOptions {
  /** How long an operation takes, half of it PENDING. */
  readonly operationMs: number;
  /** Called when an operation is FULFILLED. */
  readonly onTrust: (
    namespace: string,
    trust: { bundlePem: string; filters: readonly CertificateFilter[] },
  ) => Promise<void>;
  readonly now?: () => Date;
}

const maxConcurrentOperations = 10;

/** All state of the sandbox's Temporal Cloud, without any transport: CloudService and tcld's older services share it. */
export class CloudStore {
  readonly #options: StoreOptions;
  readonly #namespaces = new Map<string, StoredNamespace>();
  readonly #operations = new Map<string, StoredOperation>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ends = new Map<string, () => void>();
  /** How the next operations end; FULFILLED when empty. */
  readonly endings: Ending[] = [];

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  create(namespace: string, spec: Uint8Array): void {
    this.#namespaces.set(namespace, { namespace, version: 1, spec: normalised(spec) });
  }

  get(namespace: string): StoredNamespace {
    const found = this.#namespaces.get(namespace);
    if (!found) throw new CloudRefusal('NotFound', `namespace ${namespace} not found`);
    return found;
  }

  list(): readonly StoredNamespace[] {
    return [...this.#namespaces.values()].sort((a, b) => a.namespace.localeCompare(b.namespace));
  }

  operation(id: string): StoredOperation | undefined {
    return this.#operations.get(id);
  }

  /** Takes a change in, or refuses it. The same id is the same operation. */
  update({
    namespace,
    spec,
    version,
    id,
  }: {
    namespace: string;
    spec: Uint8Array;
    version: string;
    id: string;
  }): StoredOperation {
    const known = this.#operations.get(id);
    if (known) return known;
    const current = this.get(namespace);
    if (current.operation) throw new CloudRefusal('Busy', 'another operation is in progress for this namespace');
    if (String(current.version) !== version) throw new CloudRefusal('StaleVersion', 'resource version mismatch');
    const running = [...this.#operations.values()].filter(
      ({ state }) => state === 'PENDING' || state === 'IN_PROGRESS',
    );
    if (running.length >= maxConcurrentOperations)
      throw new CloudRefusal('TooManyOperations', 'too many concurrent operations');
    const wanted = this.#checked(spec);
    if (sameSpec(wanted, current.spec)) throw new CloudRefusal('NothingToChange', 'nothing to change');
    return this.#begin(current, wanted, id);
  }

  /** Somebody else's change, with its effect at once: a colleague, Terraform. */
  edit(namespace: string, change: (spec: Uint8Array) => Uint8Array): void {
    const current = this.get(namespace);
    this.#namespaces.set(namespace, {
      ...current,
      version: current.version + 1,
      spec: normalised(change(current.spec)),
    });
  }

  /** Ends an operation now instead of after `operationMs`. */
  settle(id: string): void {
    this.#ends.get(id)?.();
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #checked(spec: Uint8Array): Uint8Array {
    const { bundlePem, filters, enabled } = readTrust(spec);
    const problem = checkBundle(bundlePem, enabled, this.#options.now?.() ?? new Date()) ?? checkFilters(filters);
    if (problem) throw new CloudRefusal('Invalid', problem);
    return normalised(spec);
  }

  #begin(current: StoredNamespace, spec: Uint8Array, id: string): StoredOperation {
    const { namespace } = current;
    const operation: StoredOperation = { id, namespace, state: 'PENDING', failureReason: '' };
    this.#operations.set(id, operation);
    this.#namespaces.set(namespace, { ...current, operation: id });
    this.#later(this.#options.operationMs / 2, () => {
      if (this.#ends.has(id)) this.#operations.set(id, { ...operation, state: 'IN_PROGRESS' });
    });
    const end = () => {
      if (this.#ends.delete(id)) void this.#end(current, spec, operation);
    };
    this.#ends.set(id, end);
    this.#later(this.#options.operationMs, end);
    return operation;
  }

  async #end(current: StoredNamespace, spec: Uint8Array, operation: StoredOperation): Promise<void> {
    const ending = this.endings.shift() ?? 'FULFILLED';
    const { namespace, version } = current;
    if (ending === 'FULFILLED') {
      this.#namespaces.set(namespace, { namespace, version: version + 1, spec });
      await this.#options.onTrust(namespace, readTrust(spec));
    } else {
      this.#namespaces.set(namespace, current);
    }
    const state = ending === 'NO_EFFECT' ? 'FULFILLED' : ending;
    const failureReason = state === 'FULFILLED' ? '' : 'the sandbox was told to end it so';
    this.#operations.set(operation.id, { ...operation, state, failureReason });
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }
}

/** The order of fields says nothing. */
function sameSpec(a: Uint8Array, b: Uint8Array): boolean {
  return restOf(a) === restOf(b) && isDeepStrictEqual(readTrust(a), readTrust(b));
}

/** The server normalises PEM: one block after the other, nothing around them. What is no bundle at all stays as it is. */
function normalised(spec: Uint8Array): Uint8Array {
  const { bundlePem, filters } = readTrust(spec);
  let bundle: readonly CertificateFacts[];
  try {
    bundle = readCertificates(bundlePem);
  } catch {
    return spec;
  }
  const last = bundle.length - 1;
  return withTrust(spec, {
    bundle: bundle.map((ca, index) => (index < last ? ca : { ...ca, pem: ca.pem.trimEnd() })),
    filters,
  });
}

/** A spec for a new namespace: its name, retention, mTLS on, and fields that the bundled protos do not know. */
export function newSpec(name: string, trust: { bundlePem: string; filters: readonly CertificateFilter[] }): Uint8Array {
  const [nameField, mtlsAuth, enabled, description, unknown] = [1, 4, 3, 16, 99];
  const retention = Uint8Array.from([3 << 3, 7]);
  const spec = messageOf([
    bytesField(nameField, Buffer.from(name)),
    ...fieldsOf(retention),
    bytesField(mtlsAuth, Uint8Array.from([enabled << 3, 1])),
    bytesField(description, Buffer.from('bookings of the sandbox')),
    bytesField(unknown, Buffer.from('a field of tomorrow')),
  ]);
  return withTrust(spec, { bundle: readCertificates(trust.bundlePem), filters: trust.filters });
}
