import { Command, CommanderError, Option } from 'commander';
import { ConfigurationError } from '../config/load.js';
import { RotationError } from '../domain/failures.js';
import { addDecideCommands } from './decide.js';
import { BadInput, exitCodes, exitCodesHelp } from './exit.js';
import { addRotateCommands } from './rotate.js';
import { addSandboxCommands } from './sandbox.js';
import { addScheduleCommands } from './schedule.js';
import { addStatusCommand } from './status.js';
import { addValidateCommand } from './validate.js';

const examples = `
Examples:
  cert-rotation validate --config rotation.yaml
  cert-rotation rotate leaf booking-worker
  cert-rotation rotate ca temporal-booking --no-wait
  cert-rotation status
  cert-rotation approve temporal-booking --who ada --why "all workers moved"
  cert-rotation schedule apply
  cert-rotation sandbox up --state ./sandbox`;

/** Runs a command line; returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('cert-rotation')
    .description('Rotates the mTLS certificates of Temporal Cloud namespaces')
    .option('--config <file>', 'configuration file (default: $CERT_ROTATION_CONFIG, then rotation.yaml)')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', examples + exitCodesHelp)
    .exitOverride();
  addRotateCommands(program);
  addDecideCommands(program);
  addStatusCommand(program);
  addScheduleCommands(program);
  addValidateCommand(program);
  addSandboxCommands(program);
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.done);
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput;
  const message = error instanceof Error ? error.message : String(error);
  const fix = error instanceof RotationError ? ` ${error.fix}` : '';
  console.error(`cert-rotation: ${message}${fix}`);
  if (error instanceof ConfigurationError || error instanceof BadInput) return exitCodes.badInput;
  if (error instanceof RotationError) return exitCodes.badInput;
  return exitCodes.unreachable;
}
