import { readFileSync } from 'node:fs';
import type { CertificateFilter } from '../domain/filters.js';
import { sameBundle, trustChanger, type NamespaceEditor, type NamespaceRead, type Operation } from './change.js';
import { openCloudChannel } from './channel.js';
import type { ChangeOptions, Cloud, NamespaceTrust, TrustChange } from './cloud.js';
import { isLostAnswer, isRpcError } from './failures.js';
import { FieldCustody } from './field-custody.js';
import { createFieldKeeper, type FieldKeeper } from './field-keeper.js';
import { readIdentity } from './identity.js';
import { parseBundle } from './ops-api.js';
import { noSpecMemory, type SpecMemory } from './spec-memory.js';
import { createTcld, type Tcld, type TcldNamespace, type TcldOptions, type TcldRequest } from './tcld-program.js';

export interface TcldCloudOptions extends TcldOptions {
  /** Write without the readings through Cloud Ops that show what tcld loses of the spec (safety 38). */
  readonly allowFieldLoss: boolean;
  /** Where what may be lost is kept from before a write until it is proved to be there; absent: nowhere. */
  readonly memory?: SpecMemory | undefined;
}

/**
 * Cloud `tcld`: Temporal's older command line, the real program. It never waits, writes bundle and filters one after the
 * other, and drops what it does not know of a spec: so the spec is read through the Cloud Operations API with the same key
 * before and after each write, and what is lost is put back and told in the notes; by the next change, where this one dies.
 */
export function createTcldCloud(options: TcldCloudOptions): Cloud {
  const { address, apiKey, serverRootsFile, allowFieldLoss, memory = noSpecMemory } = options;
  const tcld = createTcld(options);
  const serverRoots = serverRootsFile ? readFileSync(serverRootsFile) : undefined;
  const channel = allowFieldLoss ? undefined : openCloudChannel({ address, apiKey, serverRoots });
  const keeper = channel && createFieldKeeper(channel);
  return {
    readNamespace: async (namespace) => trustOf(namespace, await tcld.namespace(namespace)),
    changeTrust: (namespace, decide, change) => changeThroughTcld({ tcld, keeper, memory, namespace, decide, change }),
    identity: async () => channel && readIdentity(channel),
    close: async () => channel?.close(),
  };
}

/** The namespace as tcld tells it, with the spec as Cloud Ops has it; without, when losing fields is allowed. */
interface TcldRead extends NamespaceRead {
  readonly spec?: Uint8Array;
}

interface Change {
  readonly tcld: Tcld;
  readonly keeper: FieldKeeper | undefined;
  readonly memory: SpecMemory;
  readonly namespace: string;
  readonly decide: Parameters<Cloud['changeTrust']>[1];
  readonly change: ChangeOptions;
}

async function changeThroughTcld({ tcld, keeper, memory, namespace, decide, change }: Change): Promise<TrustChange> {
  const custody = keeper && new FieldCustody(keeper, memory, namespace, change);

  async function read(): Promise<TcldRead> {
    const told = await tcld.namespace(namespace);
    const trust = trustOf(namespace, told);
    // Should the namespace change before it is read again: the write goes out under the version that tcld told.
    const seen = await keeper?.read(namespace);
    return seen ? { trust, rest: seen.rest, spec: seen.spec } : { trust, rest: restOf(told) };
  }

  const editor: NamespaceEditor<TcldRead> = {
    read,
    step: (current, wanted) => ({
      bundle: wanted.bundle,
      filters: sameBundle(current.bundle, wanted.bundle) ? wanted.filters : current.filters,
    }),
    async write({ trust, spec }, { bundle, filters }, requestId) {
      if (spec) await custody?.beforeWrite(spec, requestId);
      change.onProgress?.(`changing ${namespace} through tcld`);
      const write = { namespace, requestId, resourceVersion: trust.resourceVersion };
      try {
        if (sameBundle(trust.bundle, bundle)) await tcld.setFilters(write, filters);
        else await tcld.setBundle(write, bundle.map((ca) => ca.pem).join(''));
      } catch (error) {
        if (isRpcError(error) && !isLostAnswer(error)) await custody?.nothingLost(requestId);
        throw error;
      }
    },
    async operation(id) {
      const found = await tcld.request(id);
      const operation = found && operationOf(found);
      if (operation?.state === 'failed') await custody?.nothingLost(id);
      return operation;
    },
    async mend({ spec }, operationId) {
      if (spec) await custody?.afterWrite(spec, operationId);
      return await read();
    },
  };

  const refusedBefore = await custody?.restoreOwed();
  const result = await trustChanger(editor)(namespace, decide, change);
  const refused = refusedBefore && (await custody?.restoreOwed());
  const notes = [...(custody?.notes ?? []), ...(refused ? [refused] : [])];
  return notes.length > 0 ? { ...result, notes } : result;
}

function trustOf(namespace: string, { resourceVersion, state, requestId, uri, spec }: TcldNamespace): NamespaceTrust {
  return {
    namespace,
    resourceVersion,
    bundle: parseBundle(namespace, Buffer.from(spec.acceptedClientCa, 'base64').toString('utf8')),
    filters: spec.certificateFilters.map(
      (filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value)) as CertificateFilter,
    ),
    endpoints: uri?.grpc ? [uri.grpc] : [],
    // The id of a request that has ended may still be there.
    ...(unsettled.has(state) && requestId && { operationInProgress: requestId }),
    mtlsEnabled: spec.authMethod === 'Mtls' || spec.authMethod === 'ApiKeyOrMtls',
  };
}

const unsettled: ReadonlySet<string> = new Set(['Activating', 'Updating', 'Deleting', 'Suspending']);

/** What tcld tells of the spec beside bundle and filters. */
function restOf({ spec }: TcldNamespace): string {
  return JSON.stringify({ ...spec, acceptedClientCa: '', certificateFilters: [] });
}

function operationOf({ state, failureReason, checkDuration }: TcldRequest): Operation {
  return {
    state: ends.get(state) ?? 'running',
    stateName: state.toUpperCase(),
    failureReason,
    checkMs: Number.parseFloat(checkDuration ?? '1') * 1000,
  };
}

const ends: ReadonlyMap<string, Operation['state']> = new Map([
  ['Fulfilled', 'fulfilled'],
  ['Failed', 'failed'],
  ['Cancelled', 'failed'],
  ['Rejected', 'failed'],
]);
