import { createHash } from 'node:crypto';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';

export interface Download {
  readonly url: string;
  /** Lower-case hex SHA-256 of what the URL serves. */
  readonly sha256: string;
}

/**
 * Official downloads by `<tool>-<platform>-<arch>`. Only those whose SHA-256 is pinned here are used; a tool without an entry
 * comes from the package registries, whose hashes are pinned in sandbox/tools.
 */
export const downloads: Readonly<Record<string, Download>> = {};

const deadlineMs = 120_000;

/** Fetches a single binary, verifies its checksum, and only then gives it its name. */
export async function download({ url, sha256 }: Download, file: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new Error(`${url} has the SHA-256 ${actual}, expected ${sha256}: not used`);
  const partial = `${file}.part-${process.pid}`;
  try {
    await writeFile(partial, bytes);
    await chmod(partial, 0o755);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
