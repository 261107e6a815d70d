import { readFile } from 'node:fs/promises';
import { Command, CommanderError, Option } from 'commander';
import { addAuditCommands } from './audit.js';
import { answer, withExamples, type GlobalOptions } from './context.js';
import { addAuthorityCommands } from './authority.js';
import { addBreakGlassCommands } from './break-glass.js';
import { addDecideCommands } from './decide.js';
import { addEmergencyCommands } from './emergency.js';
import { exitCodes, exitCodesHelp, refusalOf } from './exit.js';
import { addInterveneCommands } from './intervene.js';
import { addNotifyCommands } from './notify.js';
import { addRescueCommand } from './rescue.js';
import { addRotateCommands } from './rotate.js';
import { addSandboxCommands } from './sandbox.js';
import { addScheduleCommands } from './schedule.js';
import { addStatusCommand } from './status.js';
import { addUndoRemovalCommand } from './undo-removal.js';
import { addValidateCommand } from './validate.js';

/** Runs a command line; returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = await createProgram();
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.done);
  } catch (error) {
    return explain(error, program.opts<GlobalOptions>());
  }
}

/** Every command there is. */
export async function createProgram(): Promise<Command> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command('cert-rotation')
    .description('Rotates the mTLS certificates of Temporal Cloud namespaces')
    .version(version)
    .option('--config <file>', 'configuration file (default: $CERT_ROTATION_CONFIG, then rotation.yaml)')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride();
  addRotateCommands(program);
  addDecideCommands(program);
  addInterveneCommands(program);
  addUndoRemovalCommand(program);
  addEmergencyCommands(program);
  addStatusCommand(program);
  addRescueCommand(program);
  addBreakGlassCommands(program);
  addScheduleCommands(program);
  addAuthorityCommands(program);
  addAuditCommands(program);
  addNotifyCommands(program);
  addValidateCommand(program);
  addSandboxCommands(program);
  withExamples(
    program,
    'validate --config rotation.yaml',
    'rotate leaf booking-worker',
    'rotate ca temporal-booking --no-wait',
    'status',
    'approve temporal-booking --who ada --why "all workers moved"',
    'schedule apply',
    'sandbox up --state ./sandbox',
  ).addHelpText('after', exitCodesHelp);
  return program;
}

/** What went wrong goes to standard error; with `-o json` standard output gets it, too, as the command's one document. */
function explain(error: unknown, options: GlobalOptions): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput;
  const fault = error instanceof Error ? error.message : String(error);
  const refusal = refusalOf(error) ?? { type: 'Failed', message: fault, fix: '', exitCode: exitCodes.failed };
  const { exitCode, ...told } = refusal;
  console.error(`cert-rotation: ${told.message}${told.fix && ` ${told.fix}`}`);
  if (options.output === 'json') answer(options, { error: told, exitCode }, []);
  return exitCode;
}
