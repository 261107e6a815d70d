import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { unpack } from './archive.js';

export interface Download {
  readonly url: string;
  /** Of what the URL serves, as its publisher gives it: the algorithm and lower-case hex. */
  readonly checksum: `${'sha256' | 'sha512'}:${string}`;
  /** Path of the binary in a tar.gz; absent where the URL serves the binary itself. */
  readonly member?: string;
}

const kubernetes = 'https://dl.k8s.io/v1.34.4';
const amd64Server = {
  url: `${kubernetes}/kubernetes-server-linux-amd64.tar.gz`,
  checksum:
    'sha512:65c75e81e3ea488f6d42b493cad64d7577ddfa1e5372037a1c841ac069039997d359b5b2f2d44e7665bf04c48ed0065cf9d4c9801b1e63bb6a1b099ef00d4863',
} as const;
const arm64Server = {
  url: `${kubernetes}/kubernetes-server-linux-arm64.tar.gz`,
  checksum:
    'sha512:a1fad7060ed67b5634f32f3256a295179dd887dab5c82b8550c2eb62c69df34cfbb311c8f93e7608d558eba32b9e2ddc23976db39e512fd747cc6bf9b4c1765f',
} as const;
const serverBinaries = 'kubernetes/server/bin';

/**
 * Official downloads by `<tool>-<platform>-<arch>`. Only those whose checksum is pinned here are used; a tool without an entry
 * comes from the package registries, whose hashes are pinned in sandbox/tools. Sources: the release's checksums.txt (Temporal
 * CLI), CHANGELOG-1.34.md (servers; SHA-512), dl.k8s.io (kubectl).
 */
export const downloads: Readonly<Record<string, Download>> = {
  'temporal-linux-x64': {
    url: 'https://github.com/temporalio/cli/releases/download/v1.9.1/temporal_cli_1.9.1_linux_amd64.tar.gz',
    checksum: 'sha256:09a0326a51db84d02735e53542b9ebd8c4758daf47482a9ab0abce15844e60d5',
    member: 'temporal',
  },
  'kube-apiserver-linux-x64': { ...amd64Server, member: `${serverBinaries}/kube-apiserver` },
  'kube-apiserver-linux-arm64': { ...arm64Server, member: `${serverBinaries}/kube-apiserver` },
  'kube-controller-manager-linux-x64': { ...amd64Server, member: `${serverBinaries}/kube-controller-manager` },
  'kube-controller-manager-linux-arm64': { ...arm64Server, member: `${serverBinaries}/kube-controller-manager` },
  'kubectl-linux-x64': {
    url: `${kubernetes}/bin/linux/amd64/kubectl`,
    checksum: 'sha256:d50c359d95e0841eaad08ddc27c7be37cba8fdccfba5c8e2ded65e121ff112db',
  },
  'kubectl-linux-arm64': {
    url: `${kubernetes}/bin/linux/arm64/kubectl`,
    checksum: 'sha256:5b982c0644ab1e27780246b9085a5886651b4a7ed86243acbb2bacc1bea01dda',
  },
};

export interface DownloadOptions {
  readonly onBytes?: (received: number, total: number) => void;
  /** A server that is silent for longer will not answer any more (milliseconds; 30 s). */
  readonly silenceMs?: number;
}

/** The server took the request, and then said nothing, or nothing more. */
export class ServerSilent extends Error {
  override readonly name = 'ServerSilent';

  constructor(url: string, silenceMs: number) {
    super(
      `${url} said nothing for ${silenceMs / 1000} s. Check the network and its proxy, or give a binary that is there: CERT_ROTATION_TOOL_<NAME>`,
    );
  }
}

/**
 * Fetches what a URL serves, verifies the checksum of what came, and only then gives the binaries in it their names: by member,
 * or the one file where it is the binary itself. Throws ServerSilent; whatever it throws, no file of it stays.
 */
export async function download(
  { url, checksum }: Download,
  files: ReadonlyMap<string | undefined, string>,
  options: DownloadOptions = {},
): Promise<void> {
  const [first] = files.values();
  const received = `${first}.part-${process.pid}`;
  const unpacked = new Map(
    [...files].flatMap(([member, file]) => (member ? [[member, `${file}.new-${process.pid}`]] : [])),
  );
  try {
    await fetchVerified(url, checksum, received, options);
    if (unpacked.size > 0) await unpack(received, unpacked);
    else await chmod(received, 0o755);
    for (const [member, file] of files) await rename(member ? unpacked.get(member)! : received, file);
  } finally {
    for (const file of [received, ...unpacked.values()]) await rm(file, { force: true });
  }
}

async function fetchVerified(
  url: string,
  checksum: Download['checksum'],
  file: string,
  { onBytes, silenceMs = 30_000 }: DownloadOptions,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new ServerSilent(url, silenceMs)), silenceMs);
  try {
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
    const total = Number(response.headers.get('content-length'));
    const [algorithm, expected] = checksum.split(':') as [string, string];
    const hash = createHash(algorithm);
    let bytes = 0;
    await pipeline(
      Readable.fromWeb(response.body as ReadableStream<Uint8Array>),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          timer.refresh();
          hash.update(chunk);
          onBytes?.((bytes += chunk.length), total);
          yield chunk;
        }
      },
      createWriteStream(file),
    );
    const actual = hash.digest('hex');
    if (actual !== expected) throw new Error(`${url} has the ${algorithm} ${actual}, expected ${expected}`);
  } finally {
    clearTimeout(timer);
  }
}
