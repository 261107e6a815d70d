import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { auditedCloud } from '../cloud/audited.js';
import { createCloud } from '../cloud/index.js';
import type { Cloud } from '../cloud/cloud.js';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { short, type Fingerprint } from '../domain/certificate.js';
import { entries } from '../domain/ids.js';
import { parseSavedTrust, type SavedNamespace, type SavedTrust } from '../domain/saved-trust.js';
import { readCertificates } from '../x509/read.js';
import { compromisedCas } from './compromised.js';
import { answer, configFile, globalOptions, mustHave, withExamples } from './context.js';
import { BadInput } from './exit.js';
import { openKeystore } from './keystore.js';
import { recorder } from './recorder.js';
import { configuredCloud, linesOf, progressTo, restoreAll, withoutCompromised } from './restoring.js';

const cloudOpsAddress = 'saas-api.tmprl.cloud:443';

export function addBreakGlassCommands(program: Command): void {
  const breakGlass = program
    .command('break-glass')
    .description('put back what a namespace trusted, by the API key alone: without Temporal, workers or Kubernetes');
  const save = breakGlass
    .command('save <authority>')
    .description('write what the namespaces of an authority trust now into a file; public data')
    .requiredOption('--to <file>', 'a new file')
    .option('--kept', 'instead: what they trusted before the last removal, which is kept beside the authority')
    .action((authority: string, given: SaveOptions, self: Command) => saveTrust(self, authority, given));
  const restore = breakGlass
    .command('restore')
    .description('trust again what a file says; takes no CA away and lets no filter refuse anybody more')
    .requiredOption('--from <file>', 'written by break-glass save')
    .option('--api-key-env <variable>', 'without a configuration: environment variable that holds the API key')
    .option('--even-compromised', 'trust also CAs again whose keys leaked, as the keystore has it')
    .option('--who <who>', 'who does it; recorded as claimed')
    .option('--why <why>', 'the reason, for the record')
    .option('--dry-run', 'only say what would be trusted again')
    .action((given: RestoreOptions, self: Command) => restoreFrom(self, given));
  const saving = 'break-glass save temporal-booking --to trust.json';
  const restoring = 'break-glass restore --from trust.json';
  withExamples(save, saving, `${saving} --kept`);
  withExamples(restore, restoring, `${restoring} --dry-run`, `${restoring} --api-key-env TEMPORAL_CLOUD_API_KEY`);
  withExamples(breakGlass, saving, restoring);
}

interface SaveOptions {
  readonly to: string;
  readonly kept?: boolean;
}

async function saveTrust(command: Command, authority: string, { to, kept }: SaveOptions): Promise<void> {
  const options = globalOptions(command);
  const loaded = await loadConfig(configFile(options));
  mustHave('authorities', authority)(loaded);
  const names = loaded.config.authorities[authority]!.namespaces;
  const saved = kept ? await keptTrust(loaded, authority, names) : await presentTrust(loaded, names);
  await writeNew(to, saved);
  const listed = saved.namespaces.map(({ namespace }) => namespace);
  answer(
    options,
    { file: to, at: saved.at, namespaces: listed },
    `${to} holds what ${listed.join(', ')} trusted at ${saved.at}`,
  );
}

async function presentTrust(loaded: LoadedConfig, names: readonly string[]): Promise<SavedTrust> {
  const cloud = await configuredCloud(loaded);
  try {
    const namespaces = await Promise.all(names.map((name) => cloud.readNamespace(name)));
    return {
      version: 1,
      kind: 'savedTrust',
      at: new Date().toISOString(),
      namespaces: namespaces.map(({ namespace, bundle, filters }) => {
        return { namespace, bundle: bundle.map(({ pem }) => pem).join(''), filters };
      }),
    };
  } finally {
    await cloud.close();
  }
}

async function keptTrust(loaded: LoadedConfig, authority: string, names: readonly string[]): Promise<SavedTrust> {
  const keystore = await openKeystore(loaded);
  const found = await Promise.all(names.map((name) => keystore.get(entries.trust(authority, name))));
  const saved = found.flatMap((entry) => (entry ? [entry.record as SavedTrust] : []));
  const [first] = saved;
  if (!first) throw new BadInput(`nothing is kept: no CA of ${authority} was ever removed`);
  return { ...first, namespaces: saved.flatMap(({ namespaces }) => namespaces) };
}

async function writeNew(file: string, saved: SavedTrust): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(saved, null, 2)}\n`, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BadInput(
      code === 'EEXIST' ? `${file} is there already: name a new file` : `cannot write ${file}: ${code}`,
    );
  }
}

interface RestoreOptions {
  readonly from: string;
  readonly apiKeyEnv?: string;
  readonly evenCompromised?: boolean;
  readonly who?: string;
  readonly why?: string;
  readonly dryRun?: boolean;
}

async function restoreFrom(command: Command, given: RestoreOptions): Promise<void> {
  const { from, apiKeyEnv, evenCompromised, dryRun, who, why } = given;
  const options = globalOptions(command);
  const parsed = parseSavedTrust(await textOf(from));
  if (typeof parsed === 'string') throw new BadInput(`${from} ${parsed}`);
  const known = evenCompromised || apiKeyEnv !== undefined ? undefined : await compromisedCas(configFile(options));
  if (!evenCompromised && !known)
    console.error(
      'The keystore cannot be asked whether the key of any of these CAs leaked: look yourself (--dry-run).',
    );
  const compromised = known ?? new Set();
  for (const ca of casOf(parsed).filter((one) => compromised.has(one)))
    console.error(`CA ${short(ca)} is compromised and stays out; --even-compromised brings it back.`);
  const saved = withoutCompromised(parsed, compromised);
  if (dryRun) return answer(options, saved, saved.namespaces.map(wouldTrust));
  const loaded = apiKeyEnv === undefined ? await loadConfig(configFile(options)) : undefined;
  // It has just answered, or is done without.
  const keystore = loaded && known && (await openKeystore(loaded).catch(() => undefined));
  const cloud = await (loaded ? configuredCloud(loaded, keystore) : cloudOfKey(apiKeyEnv!));
  const audited = auditedCloud(cloud, recorder({ who, why, configuration: loaded?.digest }));
  try {
    const generation = `break-glass/${saved.at}`;
    const restored = await restoreAll(audited, saved, { generation, onProgress: progressTo(options) });
    answer(options, { restored }, [
      ...linesOf(restored),
      'A rotation that still removes would remove again: cert-rotation undo-removal <authority>, or cancel ca/<authority>.',
    ]);
  } finally {
    await cloud.close();
  }
}

function casOf({ namespaces }: SavedTrust): readonly Fingerprint[] {
  const all = readCertificates(namespaces.map(({ bundle }) => bundle).join(''));
  return [...new Set(all.map(({ fingerprint }) => fingerprint))];
}

function wouldTrust({ namespace, bundle, filters }: SavedNamespace): string {
  const cas = readCertificates(bundle).map(
    ({ fingerprint, subject, notAfter }) => `  CA ${short(fingerprint)} ${subject}, until ${notAfter}`,
  );
  return [`${namespace} would trust again (${filters.length} filters):`, ...cas].join('\n');
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new BadInput(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function cloudOfKey(env: string): Promise<Cloud> {
  const apiKey = await resolveSecret({ env });
  return createCloud({ kind: 'ops-api', address: cloudOpsAddress, apiKey: { env } }, { apiKey });
}
