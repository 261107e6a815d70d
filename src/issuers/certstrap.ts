import { join } from 'node:path';
import type { Program } from '../command.js';
import { RotationError } from '../domain/failures.js';
import { assertSuitable, certstrapProgram } from '../program-version.js';
import { withTemporaryFolder } from '../temporary-folder.js';
import type { KeyPair } from '../x509/pair.js';
import { generationName, issuedCa, issuedLeaf } from './issued.js';
import type { CaRequest, Issued, Issuer, KeyAlgorithm, LeafRequest, Subject } from './issuer.js';
import { leafSeconds, readMade, runIssuer, writeForProgram } from './program-files.js';

/** certstrap dates certificates back by ten minutes. */
const backdateMs = 10 * 60_000;
/** It reads lifetimes as 32-bit numbers. */
const longestSeconds = 2 ** 31 - 1;

export interface CertstrapOptions {
  readonly program: Program;
  /** Encrypts the keys in the depot, which lies in a temporary folder; absent: they lie there as they are. */
  readonly passphrase?: (() => Promise<string>) | undefined;
}

/** Issuer `certstrap`: `init`, `request-cert` and `sign`, each time in a depot of its own. */
export function createCertstrapIssuer({ program, passphrase }: CertstrapOptions): Issuer {
  async function withDepot<T>(work: (depot: Depot) => Promise<T>): Promise<T> {
    await assertSuitable(program, certstrapProgram);
    const secret = await passphrase?.();
    refuseUntypable(secret);
    return withTemporaryFolder((folder) => work(createDepot(program, folder, secret)));
  }

  async function createCa(request: CaRequest): Promise<Issued> {
    const commonName = generationName(request);
    // It names the CA's files after it and lets a path through.
    if (commonName.includes('/')) throw new RotationError('IssuerUnable', 'certstrap: the name of a CA holds a "/".');
    const seconds = Math.min(Math.floor(request.lifetimeMs / 1000), longestSeconds);
    return withDepot(async (depot) => {
      await depot.run('init', 2, [
        ...distinguishedName({ ...request.subject, commonName }),
        ...keyFlags(request.algorithm),
        `--expires=${seconds} seconds`,
      ]);
      const made = await depot.read(commonName.replaceAll(' ', '_'));
      return issuedCa(made, { ...request, lifetimeMs: seconds * 1000, now: new Date() });
    });
  }

  async function issueLeaf(ca: KeyPair, request: LeafRequest): Promise<Issued> {
    const { subject, dnsNames = [], uris = [], algorithm } = request;
    if (subject.commonName === undefined)
      throw new RotationError('IssuerUnable', 'certstrap makes no leaf without commonName.');
    const seconds = Math.min(leafSeconds(ca.certificate, request.lifetimeMs, backdateMs), longestSeconds);
    return withDepot(async (depot) => {
      await depot.put('ca', ca);
      await depot.run('request-cert', 2, [
        ...distinguishedName(subject),
        ...keyFlags(algorithm),
        ...(dnsNames.length > 0 ? [`--domain=${dnsNames.join(',')}`] : []),
        ...(uris.length > 0 ? [`--uri=${uris.join(',')}`] : []),
        `--key=${depot.file('leaf.key')}`,
        `--csr=${depot.file('leaf.csr')}`,
      ]);
      await depot.run('sign', 1, [
        '--CA=ca',
        `--csr=${depot.file('leaf.csr')}`,
        `--cert=${depot.file('leaf.crt')}`,
        `--expires=${seconds} seconds`,
        'leaf',
      ]);
      return issuedLeaf(await depot.read('leaf'), ca, { ...request, lifetimeMs: seconds * 1000, now: new Date() });
    });
  }

  return { createCa, issueLeaf };
}

type Depot = ReturnType<typeof createDepot>;

/** The folder that certstrap keeps its files in. */
function createDepot(program: Program, folder: string, passphrase: string | undefined) {
  const file = (name: string) => join(folder, name);
  return {
    file,
    /** A passphrase is typed as often as it is asked for: on the command line every user of the machine could read it. */
    run: (command: string, asks: number, args: readonly string[]) =>
      runIssuer(`certstrap ${command}`, {
        program,
        args: [`--depot-path=${folder}`, command, ...(passphrase ? [] : ['--passphrase=']), ...args],
        ...(passphrase && { input: `${passphrase}\n`.repeat(asks), secrets: [passphrase] }),
      }),
    async put(name: string, { certificate, key }: KeyPair): Promise<void> {
      await writeForProgram(file(`${name}.crt`), certificate.pem);
      await writeForProgram(file(`${name}.key`), passphrase ? key.revealEncrypted(passphrase) : key.reveal());
    },
    read: (name: string) =>
      readMade('certstrap', { certificate: file(`${name}.crt`), key: file(`${name}.key`) }, passphrase),
  };
}

/** At its prompt, control characters edit or end the line. */
function refuseUntypable(passphrase: string | undefined): void {
  if (passphrase !== undefined && (/\p{Cc}/u.test(passphrase) || Buffer.byteLength(passphrase) > 512))
    throw new RotationError(
      'IssuerUnable',
      'certstrap takes no passphrase with control characters or of over 512 bytes.',
    );
}

function distinguishedName({ commonName, organization, organizationalUnit }: Subject): readonly string[] {
  return [
    ...(commonName === undefined ? [] : [`--common-name=${commonName}`]),
    ...(organization === undefined ? [] : [`--organization=${organization}`]),
    ...(organizationalUnit === undefined ? [] : [`--organizational-unit=${organizationalUnit}`]),
  ];
}

function keyFlags(algorithm: KeyAlgorithm): readonly string[] {
  return algorithm.startsWith('RSA-') ? [`--key-bits=${algorithm.slice(4)}`] : [`--curve=${algorithm}`];
}
