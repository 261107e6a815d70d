import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { RotationError } from '../domain/failures.js';
import { filesOf } from './absolute-paths.js';
import type { ConfigIssue } from './issues.js';
import { ConfigurationError, parseConfig, readConfig } from './load.js';
import type { Path, Placer } from './places.js';
import { resolveSecret } from './references.js';
import type { Config } from './schema.js';
import { secretReferences } from './secret-references.js';
import { warningsOf } from './warnings.js';

export interface Validation {
  readonly issues: readonly ConfigIssue[];
  /** Of a file that can be used. */
  readonly warnings: readonly ConfigIssue[];
}

/**
 * Everything that is wrong with the file, and with the secrets and files that it refers to, as this process sees them.
 * @param rotationNamespace where its rotations run, with what comes from the environment
 */
export async function validateConfig(
  file: string,
  rotationNamespace: (temporal: Config['temporal']) => string,
): Promise<Validation> {
  try {
    const { config, at } = parseConfig(await readConfig(file), file, dirname(resolve(file)));
    const warnings = warningsOf(config, rotationNamespace(config.temporal));
    return {
      issues: [...(await unreadableSecrets(config, at)), ...(await unreadableFiles(config, at))],
      warnings: warnings.map(({ path, message, fix }) => issue(path, at, message, fix)),
    };
  } catch (error) {
    if (error instanceof ConfigurationError) return { issues: error.issues, warnings: [] };
    throw error;
  }
}

async function unreadableSecrets(config: Config, at: Placer): Promise<readonly ConfigIssue[]> {
  const checked = [...secretReferences(config)].map(async ([key, reference]) => {
    try {
      await resolveSecret(reference);
      return [];
    } catch (error) {
      if (!(error instanceof RotationError)) throw error;
      const { message, fix } = error;
      return [issue(key.split('.'), at, message.replace(/\.$/, ''), fix)];
    }
  });
  return (await Promise.all(checked)).flat();
}

/** Files that hold no secret: roots, certificates, a kubeconfig. */
async function unreadableFiles(config: Config, at: Placer): Promise<readonly ConfigIssue[]> {
  const files = filesOf(config).filter(({ path }) => path.at(-1) !== 'file');
  const checked = files.map(async ({ path, file }) => {
    try {
      await access(file, constants.R_OK);
      return [];
    } catch (error) {
      const message = `the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`;
      return [
        issue(path, at, message, 'Check the path and its permissions; relative ones start at the folder of this file'),
      ];
    }
  });
  return (await Promise.all(checked)).flat();
}

function issue(path: Path, at: Placer, message: string, fix: string): ConfigIssue {
  return { ...at(path), key: path.join('.'), message: message.charAt(0).toLowerCase() + message.slice(1), fix };
}
