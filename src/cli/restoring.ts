import type { Cloud, TrustChange } from '../cloud/cloud.js';
import { createCloud } from '../cloud/index.js';
import { restoreTrust } from '../cloud/restore-trust.js';
import type { LoadedConfig } from '../config/load.js';
import { allowVariable, refuseCloudPowers } from '../config/powers.js';
import { resolveSecret } from '../config/references.js';
import { short, type Fingerprint } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import type { SavedTrust } from '../domain/saved-trust.js';
import type { Keystore } from '../keystore/keystore.js';
import { readCertificates } from '../x509/read.js';
import { print, type GlobalOptions } from './context.js';

/** What a namespace trusts again. */
export interface Restored {
  readonly namespace: string;
  readonly changed: boolean;
  readonly added: readonly Fingerprint[];
  /** For a person. */
  readonly line: string;
  readonly notes: readonly string[];
  readonly operationId?: string;
}

/**
 * Has every namespace trust again what it trusted, one after the other, by the API key alone; takes nothing away. Throws what
 * `restoreTrust` throws; done again it changes nothing.
 */
export async function restoreAll(
  cloud: Cloud,
  { namespaces }: SavedTrust,
  options: { readonly generation: string; readonly onProgress: (line: string) => void },
): Promise<readonly Restored[]> {
  return eachRestored(namespaces, ({ namespace, bundle, filters }) =>
    restoreTrust(cloud, { namespace, bundle: readCertificates(bundle), filters }, new Date(), {
      ...options,
      byKeyAlone: true,
    }),
  );
}

/** One that cannot be changed keeps no other one from it. Throws the first failure, once it has been tried with all of them. */
export async function eachRestored<Former extends { readonly namespace: string }>(
  all: readonly Former[],
  restore: (one: Former) => Promise<TrustChange>,
): Promise<readonly Restored[]> {
  const restored: Restored[] = [];
  const failures: { readonly namespace: string; readonly error: Error }[] = [];
  for (const one of all) {
    const { namespace } = one;
    await restore(one).then(
      (change) => restored.push({ namespace, ...outcomeOf(change) }),
      (error: Error) => failures.push({ namespace, error }),
    );
  }
  const [first] = failures;
  if (!first) return restored;
  const message = [
    ...failures.map(({ namespace, error }) => `${namespace} was not restored: ${error.message}`),
    ...linesOf(restored),
  ].join(' ');
  throw first.error instanceof RotationError ? new RotationError(first.error.type, message) : new Error(message);
}

function outcomeOf({ changed, before, after, operationId, notes = [] }: TrustChange): Omit<Restored, 'namespace'> {
  const had = new Set(before.bundle.map(({ fingerprint }) => fingerprint));
  const added = after.bundle.map(({ fingerprint }) => fingerprint).filter((ca) => !had.has(ca));
  const line = changed
    ? `trusts again ${added.map(short).join(', ') || 'whoever its filters refused'}`
    : 'trusts all of it already';
  return { changed, added, line, notes, ...(operationId && { operationId }) };
}

export function linesOf(restored: readonly Restored[]): readonly string[] {
  return restored.flatMap(({ namespace, line, notes }) => [`${namespace}: ${line}`, ...notes]);
}

/** Progress is for people. */
export function progressTo({ output }: GlobalOptions): (line: string) => void {
  return (line) => {
    if (output === 'text') print(`  ${line}`);
  };
}

/** Nothing goes back to a CA whose key leaked (safety 43). */
export function withoutCompromised(saved: SavedTrust, compromised: ReadonlySet<Fingerprint>): SavedTrust {
  const clean = (bundle: string) =>
    readCertificates(bundle)
      .filter(({ fingerprint }) => !compromised.has(fingerprint))
      .map(({ pem }) => pem)
      .join('');
  return { ...saved, namespaces: saved.namespaces.map((one) => ({ ...one, bundle: clean(one.bundle) })) };
}

/** What the configuration has it do with the API key is granted as for the worker (safety 24). */
export async function configuredCloud({ config }: LoadedConfig, keystore?: Keystore): Promise<Cloud> {
  refuseCloudPowers(config, process.env[allowVariable]);
  return createCloud(config.cloud, { apiKey: await resolveSecret(config.cloud.apiKey), keystore });
}
