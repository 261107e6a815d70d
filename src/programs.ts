import type { Program } from './command.js';
import type { Config } from './config/schema.js';
import {
  assertSuitable,
  certstrapProgram,
  tcldProgram,
  temporalProgram,
  type KnownProgram,
} from './program-version.js';

/** Every program of somebody else that a rotation of this authority runs. */
function programsOf(
  { cloud, probe, authorities }: Config,
  authority: string,
): readonly (readonly [Program, KnownProgram])[] {
  const issuer = authorities[authority]?.issuer;
  const known = [
    cloud.kind === 'tcld' && ([cloud, tcldProgram] as const),
    probe.kind === 'temporal-cli' && ([probe, temporalProgram] as const),
    issuer?.kind === 'tcld' && ([issuer, tcldProgram] as const),
    issuer?.kind === 'certstrap' && ([issuer, certstrapProgram] as const),
  ];
  return known.flatMap((one) => (one ? [[{ path: one[0].binary, sha256: one[0].sha256 }, one[1]] as const] : []));
}

/** Throws ToolMissing or ToolUnsuitable for the first one that is not there, is another file, or is too old. */
export async function assertPrograms(config: Config, authority: string): Promise<void> {
  for (const [program, known] of programsOf(config, authority)) await assertSuitable(program, known);
}
