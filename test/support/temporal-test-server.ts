import { createHash } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolCache, withLock } from '../../src/sandbox/tools/index.js';
import { run } from '../../src/sandbox/tools/run.js';

/** Version of io.temporal:temporal-test-server; pom.xml names the same, SHA256SUMS pins its jars. */
const version = '1.38.0';
const source = fileURLToPath(new URL('../../sandbox/tools/test-server', import.meta.url));
const installJava = 'Install Java 17 or newer (Debian: apt-get install default-jre-headless).';
const installMaven = 'Install Maven (Debian: apt-get install maven).';

/**
 * The core SDK gives up after five seconds of connecting: start quickly, at the cost of peak speed. Ends with whoever started
 * it, also when that was killed.
 */
const launcher = `#!/bin/sh
parent=$PPID
(
  while kill -0 $parent && kill -0 $$; do sleep 1; done
  kill -0 $parent || kill $$
) >/dev/null 2>&1 &
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -cp "$(dirname "$0")/lib/*" \
  io.temporal.testserver.TestServer "$@" 2>/dev/null
`;

/**
 * Path of Temporal's time-skipping test server, which the official download does not offer with a checksum: fetched once
 * from Maven, every jar verified, kept in the tool cache.
 */
export async function temporalTestServer(progress: (line: string) => void = () => undefined): Promise<string> {
  await run('java', ['-version'], { cwd: '/', missing: installJava });
  const folder = join(toolCache(), `temporal-test-server-${version}`);
  const executable = join(folder, 'temporal-test-server');
  await mkdir(toolCache(), { recursive: true });
  await withLock(`${folder}.lock`, progress, async () => {
    if (await exists(executable)) return;
    progress(`fetching temporal-test-server ${version} from Maven`);
    await fetchFromMaven(folder);
  });
  return executable;
}

async function fetchFromMaven(folder: string): Promise<void> {
  const work = await mkdtemp(`${folder}.work-`);
  try {
    await cp(source, work, { recursive: true });
    await run('mvn', ['--batch-mode', '--quiet', 'dependency:copy-dependencies'], { cwd: work, missing: installMaven });
    await verifyJars(join(work, 'lib'), await readFile(join(work, 'SHA256SUMS'), 'utf8'));
    await writeFile(join(work, 'temporal-test-server'), launcher, { mode: 0o755 });
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Exactly the jars that are pinned, each with its checksum: none missing, none besides. */
export async function verifyJars(lib: string, pinned: string): Promise<void> {
  const found = await Promise.all(
    (await readdir(lib)).map(async (name) => {
      const digest = createHash('sha256').update(await readFile(join(lib, name)));
      return `${digest.digest('hex')}  ${name}`;
    }),
  );
  const wanted = pinned.trim().split('\n');
  const wrong = [...found.filter((line) => !wanted.includes(line)), ...wanted.filter((line) => !found.includes(line))];
  if (wrong.length > 0) throw new Error(`jars of temporal-test-server are not those pinned: ${wrong.join(', ')}`);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
