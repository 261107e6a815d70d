import type { Command } from 'commander';
import { ConfigurationError, loadConfig, type ConfigIssue } from '../config/load.js';
import { resolveSecret, secretReferences } from '../config/references.js';
import { RotationError } from '../domain/failures.js';
import { configFile, globalOptions, print } from './context.js';
import { exitCodes } from './exit.js';

export function addValidateCommand(program: Command): void {
  program
    .command('validate')
    .description('check the configuration and the secrets that it refers to; starts nothing')
    .action(async (_options, command: Command) => {
      const options = globalOptions(command);
      const file = configFile(options);
      const issues = await issuesOf(file);
      if (options.output === 'json') print(JSON.stringify({ file, valid: issues.length === 0, issues }));
      else if (issues.length === 0) print(`${file} is valid`);
      else console.error(new ConfigurationError(file, issues).message);
      process.exitCode = issues.length === 0 ? exitCodes.done : exitCodes.badInput;
    });
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
