import type { Fingerprint } from './certificate.js';
import type { CertificateFilter } from './filters.js';

/**
 * What namespaces trusted at some time, to be put back by hand: public data, in a file or beside the authority. `break-glass
 * restore` needs nothing but this and an API key (safety 15).
 */
export interface SavedTrust {
  readonly version: 1;
  readonly kind: 'savedTrust';
  /** RFC 3339. */
  readonly at: string;
  readonly namespaces: readonly SavedNamespace[];
  /** Of one that a removal kept: what a run that finds it made, and its run gone, cannot read any more. */
  readonly removal?: SavedRemoval;
}

export interface SavedRemoval {
  /** The CA that was to be removed. */
  readonly old: Fingerprint;
  /** What it takes out of the bundle: the CA, and what leaves with it. */
  readonly removing: readonly Fingerprint[];
  /** RememberedTrust.neighbours. */
  readonly neighbours: readonly string[];
}

export interface SavedNamespace {
  readonly namespace: string;
  /** PEM, one certificate after the other. */
  readonly bundle: string;
  readonly filters: readonly CertificateFilter[];
}

/** Reads a saved trust. Returns the problem as text where it is none. */
export function parseSavedTrust(text: string): SavedTrust | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is no JSON';
  }
  const { version, kind, at, namespaces } = (value ?? {}) as Partial<SavedTrust>;
  if (kind !== 'savedTrust') return 'was not written by `cert-rotation break-glass save`';
  if (version !== 1) return `has version ${String(version)}, and this program knows version 1`;
  if (typeof at !== 'string' || !Array.isArray(namespaces) || !namespaces.every(isNamespace))
    return 'is not complete: each namespace has a name, a bundle in PEM and filters';
  return { version, kind, at, namespaces };
}

function isNamespace(value: unknown): value is SavedNamespace {
  const { namespace, bundle, filters } = (value ?? {}) as Partial<SavedNamespace>;
  return typeof namespace === 'string' && typeof bundle === 'string' && bundle !== '' && Array.isArray(filters);
}
