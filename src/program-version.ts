import { commandFailure, runCommand, type Program } from './command.js';
import { RotationError } from './domain/failures.js';
import { versionOfGoProgram } from './go-program.js';

type Version = readonly [number, number, number];

/** A program of somebody else, from the oldest version on whose commands and answers are known. */
export interface KnownProgram {
  readonly name: string;
  readonly oldest: Version;
  /** `1.3.0`; undefined when the program does not tell. */
  readonly version: (program: Program) => Promise<string | undefined>;
}

export const tcldProgram: KnownProgram = {
  name: 'tcld',
  oldest: [0, 55, 0],
  /** Read from the file: `tcld version` asks the network. */
  version: async ({ path }) => (await versionOfGoProgram(path, 'github.com/temporalio/tcld'))?.slice(1),
};

export const certstrapProgram: KnownProgram = { name: 'certstrap', oldest: [1, 3, 0], version: askedFor('certstrap') };

export const temporalProgram: KnownProgram = { name: 'temporal', oldest: [1, 9, 0], version: askedFor('temporal') };

/** Throws ToolMissing or ToolUnsuitable. A program that does not tell its version is used only when its SHA-256 is given. */
export async function assertSuitable(program: Program, { name, oldest, version }: KnownProgram): Promise<void> {
  const found = await version(program).catch((error: unknown) => {
    if (error instanceof RotationError) throw error;
    throw new RotationError('ToolMissing', `${name} is not at ${program.path} (${(error as { code?: string }).code}).`);
  });
  const needed = `v${oldest.join('.')} or newer`;
  if (found && isOlder(found, oldest))
    throw new RotationError('ToolUnsuitable', `${program.path} is ${name} v${found}; ${needed} is needed.`);
  if (!found && !program.sha256)
    throw new RotationError(
      'ToolUnsuitable',
      `${program.path} does not tell that it is ${name} ${needed}: give its sha256 if you know that it is.`,
    );
}

/** Of a program whose `--version` answers `<name> version 1.3.0`. */
function askedFor(name: string): KnownProgram['version'] {
  return async (program) => {
    // The Temporal CLI wants a home that is a folder, even then.
    const asked = runCommand({ program, args: ['--version'], env: { HOME: '/' }, deadlineMs: 10_000 });
    const { stdout } = await asked.catch((error: unknown) => {
      throw commandFailure(`Asking ${name} for its version`, error);
    });
    return new RegExp(`^${name} version v?(\\d+\\.\\d+\\.\\d+)`, 'm').exec(stdout)?.[1];
  };
}

function isOlder(version: string, oldest: Version): boolean {
  const numbers = version.split('.').map(Number);
  const at = oldest.findIndex((number, index) => number !== numbers[index]);
  return at >= 0 && numbers[at]! < oldest[at]!;
}
