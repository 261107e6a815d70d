import { createBuiltinIssuer } from '../../src/issuers/builtin.js';
import type { KeyPair } from '../../src/x509/pair.js';

const day = 86_400_000;
const issuer = createBuiltinIssuer();

/** A CA made now by the built-in issuer; `now` and `lifetimeMs` make one that is expired or not yet valid. */
export function aCa(options: { organization?: string; now?: Date; lifetimeMs?: number } = {}): Promise<KeyPair> {
  return issuer.createCa({
    subject: { organization: options.organization ?? 'Acme' },
    algorithm: 'P-256',
    generation: 1,
    lifetimeMs: options.lifetimeMs ?? 365 * day,
    now: options.now ?? new Date(),
  });
}

export function aLeaf(
  ca: KeyPair,
  options: { commonName?: string; lifetimeMs?: number; now?: Date } = {},
): Promise<KeyPair> {
  return issuer.issueLeaf(ca, {
    subject: { commonName: options.commonName ?? 'worker', organization: 'Acme' },
    algorithm: 'P-256',
    lifetimeMs: options.lifetimeMs ?? 30 * day,
    now: options.now ?? new Date(),
  });
}
