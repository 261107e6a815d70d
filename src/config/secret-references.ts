import { notifierReferences, webhookReferences } from '../notifiers/index.js';
import type { SecretReference } from './fields.js';
import type { Config } from './schema.js';

/** The references of a configuration, by their key. */
export function secretReferences({
  cloud,
  keystore,
  authorities,
  notifiers,
  audit,
}: Config): ReadonlyMap<string, SecretReference> {
  const references: [string, SecretReference][] = [['cloud.apiKey', cloud.apiKey]];
  if (keystore.encryptionKey) references.push(['keystore.encryptionKey', keystore.encryptionKey]);
  for (const [name, { issuer }] of Object.entries(authorities)) {
    if (issuer.kind === 'certstrap' && issuer.passphrase)
      references.push([`authorities.${name}.issuer.passphrase`, issuer.passphrase]);
  }
  for (const [name, notifier] of Object.entries(notifiers)) {
    for (const [key, reference] of Object.entries(notifierReferences(notifier)))
      references.push([`notifiers.${name}.${key}`, reference]);
  }
  for (const [key, reference] of Object.entries(webhookReferences(audit.webhook)))
    references.push([`audit.webhook.${key}`, reference]);
  return new Map(references);
}
