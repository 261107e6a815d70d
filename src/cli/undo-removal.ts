import type { Command } from 'commander';
import { auditedCloud } from '../cloud/audited.js';
import { loadConfig } from '../config/load.js';
import { objectionToPutBack } from '../domain/authority.js';
import { RotationError, type FailureType } from '../domain/failures.js';
import { answer, configFile, globalOptions, withExamples, type GlobalOptions } from './context.js';
import { BadInput, exitCodes, NotTaken, NoWorker, refusalOf, type Refusal } from './exit.js';
import { intervene } from './intervene.js';
import { openKeystore } from './keystore.js';
import { recorder } from './recorder.js';
import { configuredCloud, linesOf, progressTo } from './restoring.js';
import { authorityEntry, undoByKey } from './undo-by-key.js';

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
