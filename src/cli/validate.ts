import type { Command } from 'commander';
import { ConfigurationError, loadConfig, type ConfigIssue } from '../config/load.js';
import { resolveSecret } from '../config/references.js';
import { secretReferences } from '../config/secret-references.js';
import { RotationError } from '../domain/failures.js';
import { answer, configFile, globalOptions, withExamples } from './context.js';
import { exitCodes } from './exit.js';

export function addValidateCommand(program: Command): void {
  const command = program
    .command('validate')
    .description('check the configuration and the secrets that it refers to; starts nothing')
    .action(async (_options, self: Command) => {
      const options = globalOptions(self);
      const file = configFile(options);
      const issues = await issuesOf(file);
      const valid = issues.length === 0;
      if (!valid) console.error(new ConfigurationError(file, issues).message);
      if (valid || options.output === 'json') answer(options, { file, valid, issues }, `${file} is valid`);
      process.exitCode = valid ? exitCodes.done : exitCodes.badInput;
    });
  withExamples(command, 'validate --config rotation.yaml', 'validate -o json');
}

async function issuesOf(file: string): Promise<readonly ConfigIssue[]> {
  try {
    const { config } = await loadConfig(file);
    const checked = await Promise.all(
      [...secretReferences(config)].map(([key, reference]) =>
        resolveSecret(reference).then(
          () => undefined,
          (error: unknown) => unreadable(key, error),
        ),
      ),
    );
    return checked.filter((issue) => issue !== undefined);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.issues;
    throw error;
  }
}

function unreadable(key: string, error: unknown): ConfigIssue {
  if (!(error instanceof RotationError)) throw error;
  return { line: 0, column: 0, key, message: error.message.replace(/\.$/, ''), fix: error.fix };
}
