import type { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.js';
import { issueLines } from '../config/load.js';
import { validateConfig } from '../config/validate.js';
import { addressFrom } from '../temporal/connect.js';
import { answer, configFile, globalOptions, print, withExamples } from './context.js';
import { exitCodes } from './exit.js';

export function addValidateCommand(program: Command): void {
  const command = program
    .command('validate')
    .description('check the configuration, and the secrets and files that it refers to; starts nothing')
    .option('--schema', 'print the JSON Schema of the configuration instead, for editors')
    .action(async ({ schema }: { schema?: boolean }, self: Command) => {
      if (schema) return print(JSON.stringify(configJsonSchema(), null, 2));
      await validate(self);
    });
  withExamples(command, 'validate --config rotation.yaml', 'validate -o json', 'validate --schema > schema.json');
}

async function validate(command: Command): Promise<void> {
  const options = globalOptions(command);
  const file = configFile(options);
  const { issues, warnings } = await validateConfig(file, (temporal) => addressFrom(temporal).namespace);
  const valid = issues.length === 0;
  if (!valid) console.error(issueLines(file, issues));
  if (warnings.length > 0) console.error(issueLines(file, warnings).replace(/^/gm, 'warning: '));
  if (valid || options.output === 'json') answer(options, { file, valid, issues, warnings }, `${file} is valid`);
  process.exitCode = valid ? exitCodes.done : exitCodes.badInput;
}
