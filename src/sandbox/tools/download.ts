import { createHash } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { tarMember } from './tar.js';

export interface Download {
  readonly url: string;
  /** Lower-case hex SHA-256 of what the URL serves. */
  readonly sha256: string;
  /** Path of the binary in a tar.gz; absent where the URL serves the binary itself. */
  readonly member?: string;
}

/**
 * Official downloads by `<tool>-<platform>-<arch>`. Only those whose SHA-256 is pinned here are used; a tool without an entry
 * comes from the package registries, whose hashes are pinned in sandbox/tools. Those of etcd, kube-apiserver and
 * kube-controller-manager, and of the CLI on other platforms, were not to be had when this was written; an entry is all that it takes.
 */
export const downloads: Readonly<Record<string, Download>> = {
  'temporal-linux-x64': {
    url: 'https://github.com/temporalio/cli/releases/download/v1.9.1/temporal_cli_1.9.1_linux_amd64.tar.gz',
    sha256: '09a0326a51db84d02735e53542b9ebd8c4758daf47482a9ab0abce15844e60d5',
    member: 'temporal',
  },
};

const deadlineMs = 120_000;

/** Fetches a binary, verifies the checksum of what came, and only then gives it its name. */
export async function download({ url, sha256, member }: Download, file: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new Error(`${url} has the SHA-256 ${actual}, expected ${sha256}`);
  const partial = `${file}.part-${process.pid}`;
  try {
    await writeFile(partial, member === undefined ? bytes : tarMember(gunzipSync(bytes), member), { mode: 0o755 });
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
