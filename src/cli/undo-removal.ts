import type { Command } from 'commander';
import { auditedCloud } from '../cloud/audited.js';
import type { Cloud } from '../cloud/cloud.js';
import { restoreRemoved } from '../cloud/restore-trust.js';
import { loadConfig } from '../config/load.js';
import type { AuditFacts } from '../domain/audit.js';
import { objectionToPutBack, unmarkRetiring, type AuthorityRecord } from '../domain/authority.js';
import { short, type Fingerprint } from '../domain/certificate.js';
import { RotationError, type FailureType } from '../domain/failures.js';
import type { CertificateFilter } from '../domain/filters.js';
import { entries } from '../domain/ids.js';
import type { SavedTrust } from '../domain/saved-trust.js';
import type { Keystore, StoredEntry } from '../keystore/keystore.js';
import { readCertificates } from '../x509/read.js';
import { answer, configFile, globalOptions, withExamples, type GlobalOptions } from './context.js';
import { BadInput, exitCodes, NotTaken, NoWorker, refusalOf, type Refusal } from './exit.js';
import { intervene } from './intervene.js';
import { openKeystore } from './keystore.js';
import { recorder } from './recorder.js';
import { configuredCloud, eachRestored, linesOf, progressTo, type Restored } from './restoring.js';

interface Given {
  readonly who: string;
  readonly why: string;
}

export function addUndoRemovalCommand(program: Command): void {
  const undo = program
    .command('undo-removal <authority>')
    .description(
      'put the old CA back, while its removal is being watched, and keep both CAs; without Temporal by the API key alone',
    )
    .requiredOption('--who <who>', 'who decides; recorded as claimed')
    .requiredOption('--why <why>', 'the reason, for the record')
    .action((authority: string, given: Given, self: Command) => undoRemoval(self, authority, given));
  withExamples(undo, 'undo-removal temporal-booking --who ada --why "the nightly job is refused"');
}

/**
 * By the rotation, which ends then. From here where that does not help, perhaps because of this very removal: Temporal or a worker
 * cannot be reached, the rotation was terminated, or is not as far again since it was resumed (safety 15).
 */
async function undoRemoval(command: Command, authority: string, given: Given): Promise<void> {
  try {
    await intervene(command, authority, { action: 'undoRemoval', ...given });
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal || (refusal.exitCode !== exitCodes.unreachable && !(error instanceof NotTaken))) throw error;
    await undoFromHere(globalOptions(command), authority, { ...given, refusal });
  }
}

async function undoFromHere(
  options: GlobalOptions,
  authority: string,
  { who, why, refusal }: Given & { readonly refusal: Refusal },
): Promise<void> {
  const loaded = await loadConfig(configFile(options));
  const instead = (error: unknown) => noKeystore(authority, refusal, error);
  const keystore = await openKeystore(loaded).catch(instead);
  const objection = objectionToPutBack((await authorityEntry(keystore, authority).catch(instead)).record);
  if (objection) throw new BadInput(`${sentence(refusal.message)} Nor from here: ${objection}`);
  console.error(`${sentence(refusal.message)} It is undone from here, by the API key alone.`);
  const cloud = await configuredCloud(loaded, keystore);
  try {
    const record = recorder({ who, why, configuration: loaded.digest });
    const wanted = (namespace: string) => loaded.config.namespaces[namespace]?.filters;
    const undoing = { keystore, cloud: auditedCloud(cloud, record), wanted, record, onProgress: progressTo(options) };
    const restored = await undoByKey(undoing, authority);
    answer(options, { authority, by: 'apiKey', restored }, [
      ...linesOf(restored),
      `A rotation that is at it sees that, and ends with both CAs trusted: cert-rotation status ${authority}`,
    ]);
  } finally {
    await cloud.close();
  }
}

const sentence = (text: string): string => text.replace(/\.?$/, '.');

const outOfReach: ReadonlySet<FailureType> = new Set([
  'KeystoreForbidden',
  'KeystoreUnavailable',
  'KubernetesForbidden',
  'KubernetesUnavailable',
]);

/** The file that somebody saved is all that is left then. */
function noKeystore(authority: string, { message }: Refusal, error: unknown): never {
  if (!(error instanceof RotationError && outOfReach.has(error.type))) throw error;
  throw new NoWorker(
    `${sentence(message)} Nor can what ${authority} trusted be read: ${error.message} ` +
      'With a file of an earlier cert-rotation break-glass save: cert-rotation break-glass restore --from <file> --who … --why ….',
  );
}

export interface Undoing {
  readonly keystore: Keystore;
  readonly cloud: Cloud;
  /** The filters that the configuration wants, and a removal sets; undefined: none. */
  readonly wanted: (namespace: string) => readonly CertificateFilter[] | undefined;
  readonly record: (facts: AuditFacts) => void;
  readonly onProgress: (line: string) => void;
}

/**
 * Has every namespace trust again what the removal under way took from it, as it was kept before that (keystore entries
 * `trust.*`), and lets the old CA be used again: a removal that is still to come is refused by that, one that is watched meets it.
 * What others changed since stays as they want it. Throws BadInput where no removal is under way, or the old CA is compromised;
 * RotationError of keystore and cloud, once it was tried with every namespace. Whatever fails: done again it goes on.
 */
export async function undoByKey(undoing: Undoing, authority: string): Promise<readonly Restored[]> {
  const { keystore, cloud, wanted, onProgress } = undoing;
  const { record } = await authorityEntry(keystore, authority);
  const old = toPutBack(record);
  const kept = (await keptTrust(keystore, authority)).filter(({ removal }) => removal?.old === old);
  const removed = kept.flatMap(({ namespaces, removal }) =>
    namespaces.map(({ namespace, bundle, filters }) => ({
      namespace,
      bundle: readCertificates(bundle),
      filters,
      removing: removal!.removing,
      leaked: record.compromised ?? [],
    })),
  );
  const generation = `undo-removal/${new Date().toISOString()}`;
  const restore = () =>
    eachRestored(removed, (one) =>
      restoreRemoved(
        cloud,
        one,
        { wanted: wanted(one.namespace), now: new Date() },
        { generation, onProgress, byKeyAlone: true },
      ),
    );
  const first = await restore();
  await useAgain(undoing, authority, old);
  // What was written between the two; from here on the removal itself refuses to go on.
  const again = await restore();
  onProgress(`CA ${short(old)} of ${authority} may be used again`);
  return first.map((one, index) => (again[index]!.changed ? again[index]! : one));
}

function toPutBack(record: AuthorityRecord): Fingerprint {
  const objection = objectionToPutBack(record);
  if (objection || record.retiring === undefined) throw new BadInput(`not done: ${objection}`);
  return record.retiring;
}

type AuthorityEntry = StoredEntry & { readonly record: AuthorityRecord };

async function authorityEntry(keystore: Keystore, authority: string): Promise<AuthorityEntry> {
  const entry = await keystore.get(entries.authority(authority));
  if (!entry) throw new BadInput(`not done: the keystore has no authority "${authority}"`);
  return entry as AuthorityEntry;
}

async function keptTrust(keystore: Keystore, authority: string): Promise<readonly SavedTrust[]> {
  const owner = `authority/${authority}`;
  const kept = (await keystore.list(entries.trust(authority, ''))).filter((entry) => entry.owner === owner);
  const found = await Promise.all(kept.map(({ name }) => keystore.get(name)));
  return found.flatMap((entry) => (entry ? [entry.record as SavedTrust] : []));
}

/** By compare-and-set: whoever was quicker is read and decided again. Nothing where the rotation has done it itself meanwhile. */
async function useAgain({ keystore, record }: Undoing, authority: string, old: Fingerprint): Promise<void> {
  for (;;) {
    const { name, version, ...entry } = await authorityEntry(keystore, authority);
    if (entry.record.retiring !== old) return;
    toPutBack(entry.record);
    const after = unmarkRetiring(entry.record);
    const facts = {
      event: 'authorityChanged',
      subject: `authority/${authority}`,
      before: entry.record,
      after,
    } as const;
    record({ ...facts, stage: 'begins' });
    try {
      await keystore.update(name, { ...entry, record: after }, version);
      return record({ ...facts, stage: 'done' });
    } catch (error) {
      if (!(error instanceof RotationError && error.type === 'KeystoreConflict')) throw error;
    }
  }
}
