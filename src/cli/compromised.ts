import { setTimeout as wait } from 'node:timers/promises';
import { loadConfig } from '../config/load.js';
import type { AuthorityRecord } from '../domain/authority.js';
import type { Fingerprint } from '../domain/certificate.js';
import { entries } from '../domain/ids.js';
import { openKeystore } from './keystore.js';

/** Whoever breaks the glass may have no Kubernetes: it is asked for so long. */
const answerWithinMs = 5000;

/** CAs whose keys leaked, by the authorities' records; undefined where the keystore does not tell. */
export async function compromisedCas(file: string): Promise<ReadonlySet<Fingerprint> | undefined> {
  return Promise.race([read(file).catch(() => undefined), wait(answerWithinMs, undefined, { ref: false })]);
}

async function read(file: string): Promise<ReadonlySet<Fingerprint>> {
  const loaded = await loadConfig(file);
  const keystore = await openKeystore(loaded);
  const found = await Promise.all(
    Object.keys(loaded.config.authorities).map((authority) => keystore.get(entries.authority(authority))),
  );
  return new Set(found.flatMap((entry) => (entry?.record as Partial<AuthorityRecord> | undefined)?.compromised ?? []));
}
