import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../command.js';
import { findTool } from '../tools/index.js';
import { executable } from '../tools/path.js';
import { leafDays, type ComparedAlgorithm } from './leaf.js';
import { extensionsFile, type Signer } from './signer.js';

/** Makes leaves by commands: one per call, as the files `<name>.crt` and `<name>.key` beside the CA. */
export interface Maker {
  readonly tool: MakerName;
  /** What is run for one leaf. */
  readonly commands: string;
  readonly algorithms: readonly ComparedAlgorithm[];
  make(signer: Signer, name: string): Promise<void>;
}

export const makerNames = ['built-in', 'tcld', 'certstrap', 'openssl'] as const;
export type MakerName = (typeof makerNames)[number];

const every = ['P-256', 'P-384', 'RSA-2048'] as const;
const deadlineMs = 60_000;

/** The makers named, default all. A tool that is not there yet is fetched or built. */
export async function createMakers(
  progress: (line: string) => void,
  names: readonly MakerName[] = makerNames,
): Promise<readonly Maker[]> {
  const makers: Maker[] = [];
  for (const name of names) makers.push(await createMaker(name, progress));
  return makers;
}

async function createMaker(name: MakerName, progress: (line: string) => void): Promise<Maker> {
  switch (name) {
    case 'built-in':
      return builtin();
    case 'tcld':
      return tcld(await findTool('tcld', { progress }));
    case 'certstrap':
      return certstrap(await findTool('certstrap', { progress }));
    case 'openssl':
      return openssl(await opensslOnPath());
  }
}

async function run(path: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  await runCommand({ program: { path }, args, env, deadlineMs });
}

function builtin(): Maker {
  const program = fileURLToPath(new URL('../../../dist/sandbox/bench/issue-leaf.js', import.meta.url));
  return {
    tool: 'built-in',
    commands: 'a Node process that issues one leaf',
    algorithms: every,
    make: ({ algorithm, ...signer }, name) =>
      run(process.execPath, [
        ...[program, algorithm, name, signer.certificate, signer.key],
        ...[join(signer.depot, `${name}.crt`), join(signer.depot, `${name}.key`)],
      ]),
  };
}

/** A leaf of tcld has a key of its CA's type, and of the algorithms compared it makes P-384 alone. */
function tcld(path: string): Maker {
  return {
    tool: 'tcld',
    commands: 'tcld gen leaf',
    algorithms: ['P-384'],
    make: ({ depot, certificate, key }, name) =>
      run(
        path,
        [
          ...['--auto_confirm', 'gen', 'leaf', '--org', 'Temporal', '--common-name', name, '-d', `${leafDays}d`],
          ...['--ca-cert', certificate, '--ca-key', key],
          ...['--cert', join(depot, `${name}.crt`), '--key', join(depot, `${name}.key`)],
        ],
        // It sends this nowhere; without it, it would look for a person's login.
        { TEMPORAL_CLOUD_API_KEY: 'unused' },
      ),
  };
}

function certstrap(path: string): Maker {
  return {
    tool: 'certstrap',
    commands: 'certstrap request-cert, certstrap sign',
    algorithms: every,
    async make({ algorithm, depot }, name) {
      const kind = algorithm === 'RSA-2048' ? '--key-bits=2048' : `--curve=${algorithm}`;
      const names = ['--organization=Temporal', `--common-name=${name}`];
      await run(path, [`--depot-path=${depot}`, 'request-cert', '--passphrase=', ...names, kind]);
      await run(path, [
        `--depot-path=${depot}`,
        'sign',
        '--passphrase=',
        '--CA=ca',
        `--expires=${leafDays} days`,
        name,
      ]);
    },
  };
}

function openssl(path: string): Maker {
  return {
    tool: 'openssl',
    commands: 'openssl req, openssl x509',
    algorithms: every,
    async make({ algorithm, depot, certificate, key }, name) {
      const [csr, leaf] = [join(depot, `${name}.csr`), join(depot, name)];
      const kind = algorithm === 'RSA-2048' ? ['rsa:2048'] : ['ec', '-pkeyopt', `ec_paramgen_curve:${algorithm}`];
      const subject = `/O=Temporal/CN=${name}`;
      await run(path, [
        'req',
        '-new',
        '-newkey',
        ...kind,
        '-nodes',
        '-keyout',
        `${leaf}.key`,
        '-out',
        csr,
        '-subj',
        subject,
      ]);
      await run(path, [
        ...['x509', '-req', '-in', csr, '-CA', certificate, '-CAkey', key, '-set_serial', '1'],
        ...['-days', String(leafDays), '-extfile', join(depot, extensionsFile), '-out', `${leaf}.crt`],
      ]);
    },
  };
}

async function opensslOnPath(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const path = join(folder, 'openssl');
    if (folder && (await executable(path))) return path;
  }
  throw new Error('openssl is needed and not on PATH');
}
