import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Kinds, Programs } from './kinds.js';
import { findTool } from './tools/index.js';

/** The real programs that these kinds run, by absolute path and SHA-256, as a production configuration names them. */
export async function findPrograms(
  { cloud, issuer, probe }: Kinds,
  progress: (line: string) => void,
): Promise<Programs> {
  const needed = {
    tcld: cloud === 'tcld' || issuer === 'tcld',
    certstrap: issuer === 'certstrap',
    temporal: probe === 'temporal-cli',
  };
  const programs: Record<string, object> = {};
  for (const name of ['tcld', 'certstrap', 'temporal'] as const) {
    if (!needed[name]) continue;
    const binary = await findTool(name, { progress });
    programs[name] = { binary, sha256: await sha256Of(binary) };
  }
  return programs;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
