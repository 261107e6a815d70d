import { readFile, writeFile } from 'node:fs/promises';
import { createBuiltinIssuer } from '../../issuers/builtin.js';
import type { KeyAlgorithm } from '../../issuers/issuer.js';
import { PrivateKey } from '../../x509/private-key.js';
import { readCertificate } from '../../x509/read.js';
import { leafLifetimeMs } from './leaf.js';

/**
 * `issue-leaf <algorithm> <common name> <CA certificate> <CA key> <certificate> <key>`: one leaf of the built-in issuer, from files into
 * files, so that a command of ours can be compared with the commands of others.
 */
const [algorithm, commonName, caCertificate, caKey, certificateFile, keyFile] = process.argv.slice(2) as [
  KeyAlgorithm,
  ...[string, string, string, string, string],
];
const ca = {
  certificate: readCertificate(await readFile(caCertificate, 'utf8')),
  key: new PrivateKey(await readFile(caKey, 'utf8')),
};
const subject = { organization: 'Temporal', commonName };
const { certificate, key } = await createBuiltinIssuer().issueLeaf(ca, {
  subject,
  algorithm,
  lifetimeMs: leafLifetimeMs,
  now: new Date(),
});
await writeFile(certificateFile, certificate.pem);
await writeFile(keyFile, key.reveal(), { mode: 0o600 });
