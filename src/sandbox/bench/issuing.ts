import { generateKeyPair, randomBytes, sign } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createBuiltinIssuer } from '../../issuers/builtin.js';
import { makeLeaf } from '../../issuers/make.js';
import { PrivateKey } from '../../x509/private-key.js';
import { keyMatches, readCertificate, signedBy } from '../../x509/read.js';
import { removeAtEnd } from '../children.js';
import { algorithms, leafLifetimeMs, type ComparedAlgorithm } from './leaf.js';
import type { Maker, MakerName } from './makers.js';
import { createSigner, type Signer } from './signer.js';

/** Leaves per second, one after the other. */
export interface CommandRate {
  readonly tool: MakerName;
  readonly commands: string;
  readonly algorithm: ComparedAlgorithm;
  readonly leavesPerSecond: number;
}

export interface InProcessRate {
  readonly algorithm: ComparedAlgorithm;
  /** What the built-in issuer makes: key and certificate. */
  readonly madePerSecond: number;
  /** The built-in issuer: the same, and everything read back and checked. */
  readonly leavesPerSecond: number;
  /** `node:crypto` alone: a new key, and a signature of the CA's key over as many bytes. */
  readonly rawPerSecond: number;
}

export interface IssuingRun {
  readonly commands: readonly CommandRate[];
  readonly inProcess: readonly InProcessRate[];
}

export interface IssuingOptions {
  readonly say: (line: string) => void;
  readonly makers: readonly Maker[];
  /** How long each number is measured; RSA four times as long, because its keys take from a tenth of a second to seconds. */
  readonly forMs: number;
}

/** Every maker with every algorithm that it has, one after the other, then the built-in issuer in process. */
export async function runIssuing({ say, makers, forMs }: IssuingOptions): Promise<IssuingRun> {
  const folder = mkdtempSync(join(tmpdir(), 'cert-rotation-bench-'));
  const keep = removeAtEnd(folder);
  try {
    const commands: CommandRate[] = [];
    const inProcess: InProcessRate[] = [];
    for (const algorithm of algorithms) {
      const signer = await createSigner(algorithm, folder);
      const lastingMs = algorithm === 'RSA-2048' ? 4 * forMs : forMs;
      for (const maker of makers.filter((one) => one.algorithms.includes(algorithm))) {
        const leavesPerSecond = await rateOfCommands(maker, signer, lastingMs);
        commands.push({ tool: maker.tool, commands: maker.commands, algorithm, leavesPerSecond });
        say(`${algorithm}, ${maker.commands}: ${leavesPerSecond.toFixed(1)} leaves/s`);
      }
      const last = await ratesInProcess(signer, lastingMs);
      inProcess.push(last);
      const [made, checked, raw] = [last.madePerSecond, last.leavesPerSecond, last.rawPerSecond].map((n) =>
        n.toFixed(1),
      );
      say(`${algorithm}, in process: ${made} made/s, ${checked} made and checked/s, node:crypto alone ${raw}/s`);
    }
    return { commands, inProcess };
  } finally {
    await rm(folder, { recursive: true, force: true });
    keep();
  }
}

async function rateOfCommands(maker: Maker, signer: Signer, lastingMs: number): Promise<number> {
  let made = 0;
  const nameOf = (count: number) => `${maker.tool}-${count}`;
  const rate = await ratePerSecond(async () => maker.make(signer, nameOf(++made)), lastingMs);
  for (const name of [nameOf(1), nameOf(made)]) await assertLeaf(signer, name);
  return rate;
}

/** What is counted was made: the first and the last leaf are there, of this CA, with their keys. */
async function assertLeaf({ depot, pair }: Signer, name: string): Promise<void> {
  const [certificate, key] = await Promise.all(
    ['crt', 'key'].map((kind) => readFile(join(depot, `${name}.${kind}`), 'utf8')),
  );
  const leaf = readCertificate(certificate!);
  if (leaf.isCa || !signedBy(leaf, pair.certificate) || !keyMatches(leaf, new PrivateKey(key!)))
    throw new Error(`${name} is no leaf of its CA with its key`);
}

async function ratesInProcess({ algorithm, pair }: Signer, lastingMs: number): Promise<InProcessRate> {
  const issuer = createBuiltinIssuer();
  const request = { subject: { organization: 'Temporal', commonName: 'leaf' }, algorithm, lifetimeMs: leafLifetimeMs };
  const made = async () => void (await makeLeaf(pair, { ...request, now: new Date() }));
  const leaf = async () => void (await issuer.issueLeaf(pair, { ...request, now: new Date() }));
  const raw = rawWork(algorithm, pair.key);
  // What is compiled at the first calls is not what is compared.
  for (const work of [leaf, made, raw]) await ratePerSecond(work, lastingMs / 10);
  return {
    algorithm,
    leavesPerSecond: await ratePerSecond(leaf, lastingMs),
    madePerSecond: await ratePerSecond(made, lastingMs),
    rawPerSecond: await ratePerSecond(raw, lastingMs),
  };
}

const generate = promisify(generateKeyPair);
/** About what the signed part of a leaf is long. */
const signedBytes = 400;

/** The least that a leaf costs with what `node:crypto` has for it: a key that generateKeyPair makes, and a signature. */
function rawWork(algorithm: ComparedAlgorithm, caKey: PrivateKey): () => Promise<void> {
  const key = caKey.keyObject();
  const digest = algorithm === 'P-384' ? 'sha384' : 'sha256';
  return async () => {
    if (algorithm === 'RSA-2048') await generate('rsa', { modulusLength: 2048 });
    else await generate('ec', { namedCurve: algorithm });
    sign(digest, randomBytes(signedBytes), key);
  };
}

/** How often in a second, over at least that long and three times. */
export async function ratePerSecond(work: () => Promise<void>, lastingMs: number): Promise<number> {
  const began = performance.now();
  let count = 0;
  while (count < 3 || performance.now() - began < lastingMs) {
    await work();
    count += 1;
  }
  return (count * 1000) / (performance.now() - began);
}
