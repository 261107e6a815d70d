import { readFile } from 'node:fs/promises';

/** Go's linker writes the modules of a program between these marks (runtime/debug.ReadBuildInfo, cmd/go "modload"). */
const start = Buffer.from('3077af0c9274080241e1c107e6d618e6', 'hex');
const end = Buffer.from('f932433186182072008242104116d8f2', 'hex');

/**
 * The version of a Go program's main module, `v0.55.0`, read from the file: the program is not run, because asking it may
 * reach the network (`tcld version` does). Undefined when the file does not tell: no Go program, another module, or built from
 * a checkout without a version. Throws what reading the file throws.
 */
export async function versionOfGoProgram(file: string, module: string): Promise<string | undefined> {
  const program = await readFile(file);
  // The mark occurs in the code of Go's own reader, too: the modules follow the one that `path` comes after.
  const from = program.indexOf(Buffer.concat([start, Buffer.from('path\t')]));
  const to = program.indexOf(end, from);
  if (from < 0 || to < 0) return undefined;
  const modules = program.subarray(from + start.length, to).toString('utf8');
  const [, version] =
    new RegExp(`^mod\\t${module.replaceAll('.', '\\.')}\\t(v\\d+\\.\\d+\\.\\d+)`, 'm').exec(modules) ?? [];
  return version;
}
