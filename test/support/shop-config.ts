import assert from 'node:assert/strict';
import { ConfigurationError, parseConfig } from '../../src/config/load.js';

/** As small as a complete configuration can be; the line numbers that tests expect are of this text. */
export const valid = `version: 1
temporal:
  namespace: shop.acct
cloud:
  kind: ops-api
  apiKey: { env: API_KEY }
keystore:
  kind: kubernetes
  encryptionKey: { env: ENCRYPTION_KEY }
namespaces:
  shop.acct:
    filters:
      - commonName: worker
authorities:
  shop:
    subject: { organization: Shop }
    lifetime: 365d
    namespaces: [shop.acct]
    approval: { mode: manual, deadline: 5d }
targets:
  worker:
    authority: shop
    namespace: shop
    secret: shop-tls
    subject: { commonName: worker }
    lifetime: 30d
    rollout: rolling
timing:
  soak: 7m
`;

/** The text with the one place where `from` stands replaced. */
export function edited(from: string, to: string): string {
  assert.equal(valid.split(from).length, 2, `"${from}" must be there once`);
  return valid.replace(from, to);
}

/** What it is refused with, a line each; empty where it is valid. */
export function refusalsOf(text: string): readonly string[] {
  try {
    parseConfig(text, 'rotation.yaml', '/');
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, `not a ConfigurationError: ${String(error)}`);
    return error.message.split('\n');
  }
}

/** @param refusals all of them, in order, without the name of the file */
export function assertRefused(text: string, refusals: readonly string[]): void {
  assert.deepEqual(
    refusalsOf(text),
    refusals.map((refusal) => `rotation.yaml:${refusal}`),
  );
}
