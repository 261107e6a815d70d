import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { versionOfGoProgram } from '../../go-program.js';
import { run } from './run.js';
import { versions, type ToolName } from './versions.js';

/** The tool on PATH, if it says that it is of the exact version. */
export async function findOnPath(name: Exclude<ToolName, 'gateway'>): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const candidate = join(folder, name);
    if (!folder || !(await executable(candidate))) continue;
    const answer = await versionAnswer(name, candidate).catch(() => '');
    if (new RegExp(`(^|[^0-9.])v?${versions[name].replaceAll('.', '\\.')}([^0-9.]|$)`, 'm').test(answer))
      return candidate;
  }
  return undefined;
}

/** What the program says of its version. tcld would ask the network before it answers. */
async function versionAnswer(name: ToolName, program: string): Promise<string> {
  if (name === 'tcld') return (await versionOfGoProgram(program, 'github.com/temporalio/tcld')) ?? '';
  const question = name === 'kubectl' ? ['version', '--client'] : ['--version'];
  return run(program, question, { cwd: '/', missing: '' });
}

export async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
