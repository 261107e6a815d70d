import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBuiltinIssuer } from '../../issuers/builtin.js';
import type { KeyPair } from '../../x509/pair.js';
import type { ComparedAlgorithm } from './leaf.js';

/** The CA that signs all leaves of one algorithm, whoever makes them. */
export interface Signer {
  readonly algorithm: ComparedAlgorithm;
  readonly pair: KeyPair;
  /** Folder of the CA's files, and of the leaves; a depot of certstrap. */
  readonly depot: string;
  readonly certificate: string;
  readonly key: string;
}

/** In the depot: what OpenSSL puts into a leaf. */
export const extensionsFile = 'leaf.ext';
const extensions = `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
`;

const dayMs = 86_400_000;

/** Made as if a day ago: programs date leaves back, and none may begin before its CA. */
export async function createSigner(algorithm: ComparedAlgorithm, folder: string): Promise<Signer> {
  const pair = await createBuiltinIssuer().createCa({
    subject: { organization: 'Benchmark' },
    algorithm,
    generation: 1,
    lifetimeMs: 365 * dayMs,
    now: new Date(Date.now() - dayMs),
  });
  const depot = join(folder, algorithm);
  await mkdir(depot, { mode: 0o700 });
  const [certificate, key] = [join(depot, 'ca.crt'), join(depot, 'ca.key')];
  // certstrap wants that even the owner cannot write a key.
  await writeFile(certificate, pair.certificate.pem, { mode: 0o400 });
  await writeFile(key, pair.key.reveal(), { mode: 0o400 });
  await writeFile(join(depot, extensionsFile), extensions);
  return { algorithm, pair, depot, certificate, key };
}
