import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Oracle {
  /** Throws with Go's own words when Go does not verify the leaf for client authentication. */
  verify(caFile: string, leafFile: string): void;
}

/** Builds the independent judge of certificates, Go's crypto/x509, into `folder`. */
export async function buildOracle(folder: string): Promise<Oracle> {
  const binary = join(folder, 'verify');
  const source = fileURLToPath(new URL('../../sandbox/verify', import.meta.url));
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'pipe' });
  return { verify: (caFile, leafFile) => void execFileSync(binary, [caFile, leafFile], { stdio: 'pipe' }) };
}
