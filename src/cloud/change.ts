import { setTimeout as wait } from 'node:timers/promises';
import { isValidAt, type CertificateFacts } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { sameFilters } from '../domain/filters.js';
import type { ChangeOptions, Cloud, NamespaceTrust, WantedTrust } from './cloud.js';
import {
  cloudFailure,
  isLostAnswer,
  isLostRace,
  isNothingToChange,
  isRejected,
  isRpcError,
  type CloudRpcError,
} from './failures.js';
import { operationId } from './operation-id.js';

/** What each kind of cloud does in its own way. The promises of `Cloud.changeTrust` are kept here, for all kinds alike. */
export interface NamespaceEditor<Read extends NamespaceRead = NamespaceRead> {
  /** Throws RotationError. */
  read(namespace: string): Promise<Read>;
  /** What one write can do of what is wanted; absent: everything. Who is admitted before and after, is admitted in between. */
  step?(current: NamespaceTrust, wanted: WantedTrust): WantedTrust;
  /** Sends the change under the version that was read and waits for nothing. Throws CloudRpcError as it came. */
  write(before: Read, wanted: WantedTrust, operationId: string): Promise<void>;
  /** Undefined when the server knows none of that id. Throws RotationError. */
  operation(id: string): Promise<Operation | undefined>;
  /** Nothing is left to do; absent: when bundle and filters are as wanted. */
  isDone?(found: Read, wanted: WantedTrust): boolean;
  /** Puts back what the write `operationId` took away beside bundle and filters; the namespace after that. */
  mend?(before: Read, operationId: string): Promise<Read>;
}

export interface NamespaceRead {
  readonly trust: NamespaceTrust;
  /** Everything of the spec but bundle and filters, comparable. */
  readonly rest: string;
}

export interface Operation {
  readonly state: 'running' | 'fulfilled' | 'failed';
  /** The state in the server's word, for people. */
  readonly stateName: string;
  readonly failureReason: string;
  /** The server asks to be asked again after so long. */
  readonly checkMs: number;
}

/** A lost race is read and decided again this often before the activity fails and is retried. */
const attempts = 5;
const usualOperationDeadlineMs = 30 * 60_000;

/** `Cloud.changeTrust` over an editor. */
export function trustChanger<Read extends NamespaceRead>(editor: NamespaceEditor<Read>): Cloud['changeTrust'] {
  return async (namespace, decide, options) => {
    let began: { readonly before: NamespaceTrust; readonly operationId: string } | undefined;
    let refusal: CloudRpcError | undefined;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const before = await quiet(namespace, options);
      const wanted = await decide(before.trust);
      refuseLockOut(before.trust, wanted);
      if (isDone(before, wanted))
        return { changed: began !== undefined, before: before.trust, ...began, after: before.trust };
      const step = editor.step?.(before.trust, wanted) ?? wanted;
      const { id, running } = await freshOperation(before.trust, step, options);
      refusal = running ? undefined : await send(before, step, id);
      if (refusal) continue;
      const after = await proved(before, step, id, options);
      began = { before: began?.before ?? before.trust, operationId: id };
      if (isDone(after, wanted)) return { changed: true, ...began, after: after.trust };
    }
    throw new RotationError(
      'CloudConflict',
      `${namespace} was read and decided ${attempts} times, and each time it had changed: ${refusal?.details}.`,
    );
  };

  function isDone(found: Read, wanted: WantedTrust): boolean {
    return editor.isDone ? editor.isDone(found, wanted) : isAs(found.trust, wanted);
  }

  /** The namespace once nobody is changing it. */
  async function quiet(namespace: string, options: ChangeOptions): Promise<Read> {
    const awaited = new Set<string>();
    for (;;) {
      const found = await editor.read(namespace);
      const running = found.trust.operationInProgress;
      // A read that lags behind may still name an operation that has ended: the version guards the write.
      if (!running || awaited.has(running)) return found;
      await ended(running, options);
      awaited.add(running);
    }
  }

  /** An operation for this very change may exist: running, it is joined; ended, its id goes into the next one. */
  async function freshOperation(
    { namespace, resourceVersion }: NamespaceTrust,
    wanted: WantedTrust,
    { generation }: ChangeOptions,
  ): Promise<{ id: string; running: boolean }> {
    const dead: string[] = [];
    for (;;) {
      const id = operationId({ generation, namespace, wanted, resourceVersion, dead });
      const found = await editor.operation(id);
      if (!found || found.state === 'running') return { id, running: found !== undefined };
      dead.push(id);
    }
  }

  /**
   * Sends the change. A refusal that is returned says that the namespace is another one than was read (or as wanted
   * already): read and decide again.
   */
  async function send(before: Read, wanted: WantedTrust, id: string): Promise<CloudRpcError | undefined> {
    const { namespace, resourceVersion } = before.trust;
    try {
      await editor.write(before, wanted, id);
      return undefined;
    } catch (error) {
      if (!isRpcError(error)) throw error;
      if (isNothingToChange(error) || isLostRace(error)) return error;
      if (isLostAnswer(error) && (await editor.operation(id))) return undefined;
      const now = (await editor.read(namespace)).trust;
      const moved = now.resourceVersion !== resourceVersion || now.operationInProgress !== undefined;
      if (moved && (isLostAnswer(error) || isRejected(error))) return error;
      throw cloudFailure(`Changing ${namespace}`, error);
    }
  }

  /** FULFILLED is no proof: the re-read is, that the wanted state is there and nothing else changed. */
  async function proved(before: Read, wanted: WantedTrust, id: string, options: ChangeOptions): Promise<Read> {
    const { namespace } = before.trust;
    const end = await ended(id, options);
    if (end?.state === 'failed') {
      const reason = end.failureReason || 'no reason given';
      throw new RotationError(
        'CloudOperationFailed',
        `Operation ${id} on ${namespace} ended ${end.stateName}: ${reason}.`,
      );
    }
    const found = await editor.read(namespace);
    if (!end || !isDone(found, wanted) || !found.trust.mtlsEnabled) {
      throw new RotationError(
        'CloudWriteNotEffective',
        `${namespace} does not show the bundle and filters that operation ${id} wrote.`,
      );
    }
    const after = editor.mend ? await editor.mend(before, id) : found;
    if (before.rest !== after.rest) {
      throw new RotationError(
        'CloudSpecChanged',
        `The bundle of ${namespace} is as wanted, but other settings changed at the same time.`,
      );
    }
    return after;
  }

  /** Waits until the operation ends, asking as often as it wants to be asked. Undefined when nobody knows it. */
  async function ended(id: string, options: ChangeOptions): Promise<Operation | undefined> {
    const { operationDeadlineMs = usualOperationDeadlineMs } = options;
    const deadline = Date.now() + operationDeadlineMs;
    for (;;) {
      options.signal?.throwIfAborted();
      const found = await editor.operation(id);
      if (found?.state !== 'running') return found;
      if (Date.now() > deadline) {
        const minutes = Math.round(operationDeadlineMs / 60_000);
        throw new RotationError('CloudBusy', `Operation ${id} is still ${found.stateName} after ${minutes} minutes.`);
      }
      await patiently(found.checkMs, `operation ${id} is ${found.stateName}`, options);
    }
  }
}

/** Ours to refuse, whatever a server would say (design, invariant 4). */
function refuseLockOut({ namespace, mtlsEnabled }: NamespaceTrust, { bundle }: WantedTrust): void {
  const now = new Date();
  if (mtlsEnabled && bundle.some((ca) => isValidAt(ca, now))) return;
  throw new RotationError(
    'WouldLockOut',
    `${namespace} would be left without ${mtlsEnabled ? 'a valid CA' : 'mTLS'}; nothing was changed.`,
  );
}

/** Bundles are sets: the server normalises PEM and may order it otherwise. */
export function sameBundle(a: readonly CertificateFacts[], b: readonly CertificateFacts[]): boolean {
  const set = (cas: readonly CertificateFacts[]) => [...new Set(cas.map((ca) => ca.fingerprint))].sort().join();
  return set(a) === set(b);
}

function isAs(trust: NamespaceTrust, wanted: WantedTrust): boolean {
  return sameBundle(trust.bundle, wanted.bundle) && sameFilters(trust.filters, wanted.filters);
}

const [shortestCheckMs, longestCheckMs] = [200, 30_000];

/** Waits, saying so about once a second. */
async function patiently(ms: number, line: string, { onProgress, signal }: ChangeOptions): Promise<void> {
  for (let left = Math.min(Math.max(ms, shortestCheckMs), longestCheckMs); left > 0; left -= 1000) {
    onProgress?.(line);
    await wait(Math.min(left, 1000), undefined, signal ? { signal } : {});
  }
}
