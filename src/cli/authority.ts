import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { RotationError } from '../domain/failures.js';
import { readImport } from '../issuers/imported.js';
import { keepFirstCa } from '../keystore/first-ca.js';
import { warningsOf } from '../x509/check.js';
import { answer, configFile, globalOptions, mustHave, withExamples } from './context.js';
import { BadInput } from './exit.js';
import { openKeystore } from './keystore.js';
import { recorder } from './recorder.js';

interface ImportOptions {
  readonly certificate: string;
  readonly key: string;
  readonly chain?: string;
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  readonly who: string;
  readonly why?: string;
}

export function addAuthorityCommands(program: Command): void {
  const authority = program.command('authority').description('the CAs that this system manages');
  const command = authority
    .command('import <authority>')
    .description('take over a CA that tcld, certstrap or openssl made, as the current one of an authority without a CA')
    .requiredOption('--certificate <file>', 'the CA, PEM; its chain may follow it')
    .requiredOption('--key <file>', 'its private key, PEM: PKCS#1, SEC1 or PKCS#8')
    .option('--chain <file>', 'of an intermediate: every certificate up to its root, PEM')
    .option('--passphrase-file <file>', 'file that holds the passphrase of the key')
    .option('--passphrase-env <variable>', 'environment variable that holds it')
    .requiredOption('--who <who>', 'who does it; recorded as claimed')
    .option('--why <why>', 'the reason, for the record')
    .action((name: string, options: ImportOptions, self: Command) => importAuthority(self, name, options));
  const example = 'authority import temporal-booking --certificate ca.pem --key ca.key --who ada';
  withExamples(command, example, `${example} --passphrase-file pass --chain chain.pem`);
  withExamples(authority, example);
}

async function importAuthority(command: Command, authority: string, files: ImportOptions): Promise<void> {
  const options = globalOptions(command);
  const loaded = await loadConfig(configFile(options));
  mustHave('authorities', authority)(loaded);
  const ca = readImport(await textsOf(files), new Date());
  const keystore = await openKeystore(loaded);
  const { who, why } = files;
  const record = recorder({ who, why, configuration: loaded.digest });
  const after = { ca: ca.certificate.fingerprint, copiesOfKey: 'exist' };
  const facts = { event: 'caImported', subject: `authority/${authority}`, after } as const;
  const isNew = await keepFirstCa(keystore, {
    authority,
    ca,
    provenance: { importedAt: new Date().toISOString() },
    begins: () => record({ ...facts, stage: 'begins' }),
  });
  record({ ...facts, stage: isNew ? 'done' : 'found' });
  const { subject, fingerprint, sha1, notAfter } = ca.certificate;
  const warnings = [
    `The keystore holds a copy of ${files.key}: whoever has another can sign leaves. Destroy them, or rotate soon`,
    ...warningsOf(ca.certificate),
  ];
  const lines = [
    `${authority} has the CA ${subject}, valid until ${notAfter}`,
    `SHA-256 ${fingerprint}`,
    `SHA-1   ${sha1} (as tcld prints it)`,
    ...warnings.map((warning) => `! ${warning}`),
  ];
  answer(options, { authority, fingerprint, sha1, subject, notAfter, warnings }, lines);
}

async function textsOf({ certificate, key, chain, passphraseFile, passphraseEnv }: ImportOptions) {
  if (passphraseFile !== undefined && passphraseEnv !== undefined)
    throw new BadInput('give either --passphrase-file or --passphrase-env');
  const reference = passphraseFile === undefined ? passphraseEnv && { env: passphraseEnv } : { file: passphraseFile };
  return {
    certificate: await textOf(certificate),
    key: await textOf(key),
    chain: chain === undefined ? undefined : await textOf(chain),
    passphrase: reference ? await resolveSecret(reference) : undefined,
  };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RotationError('ImportUnreadable', `The file ${file} cannot be read (${code}).`);
  }
}
