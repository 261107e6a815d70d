import { isValidAt, short, type CertificateFacts } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import { chainRefusal } from '../x509/admission.js';
import { pathToRoot } from '../x509/chain.js';
import { weakness } from '../x509/check.js';
import type { KeyPair } from '../x509/pair.js';
import { openPrivateKey, type PrivateKey } from '../x509/private-key.js';
import { keyMatches, keyUsage, readCertificates } from '../x509/read.js';
import { unreadable } from '../x509/readable.js';

/** A CA that tcld, certstrap or openssl made, as texts of PEM files. */
export interface Import {
  /** The CA; what follows it in the same text counts as chain. */
  readonly certificate: string;
  /** PKCS#1, SEC1 or PKCS#8, encrypted or not. */
  readonly key: string;
  /** Certificates above it, in any order. */
  readonly chain?: string | undefined;
  readonly passphrase?: string | undefined;
}

/** The CA as this system can sign with it, its chain up to the root. Throws RotationError Import*: nothing was kept. */
export function readImport({ certificate, key, chain = '', passphrase }: Import, now: Date): KeyPair {
  const [ca, ...others] = certificatesOf(certificate);
  if (!ca) throw new RotationError('ImportUnreadable', 'There is no certificate.');
  const pair = { certificate: ca, key: keyOf(key, passphrase) };
  if (!keyMatches(ca, pair.key))
    throw new RotationError('ImportKeyMismatch', `The key does not belong to ${ca.subject}.`);
  if (!ca.isCa || keyUsage(ca)?.includes('keyCertSign') === false)
    throw new RotationError('ImportNotCa', `${ca.subject} is no CA: it may not sign certificates.`);
  const above = pathToRoot(ca, [...others, ...certificatesOf(chain)]);
  if (!above) throw new RotationError('ImportChainIncomplete', `The way from ${ca.subject} to its root is not there.`);
  for (const one of [ca, ...above]) refuseUnusable(one, now);
  refuseSharedNames([ca, ...above]);
  const refusal = chainRefusal([ca, ...above], now);
  if (refusal)
    throw new RotationError(
      'ImportNotAdmitted',
      `A server does not admit leaves of ${ca.subject} (CA ${short(ca.fingerprint)}): ${refusal}.`,
    );
  return { ...pair, ...(above.length > 0 && { chain: above }) };
}

function certificatesOf(pem: string): readonly CertificateFacts[] {
  try {
    return readCertificates(pem);
  } catch (error) {
    throw new RotationError('ImportUnreadable', `The certificates cannot be read: ${(error as Error).message}.`);
  }
}

function keyOf(pem: string, passphrase: string | undefined): PrivateKey {
  if (!pem.includes('PRIVATE KEY-----')) throw new RotationError('ImportUnreadable', 'There is no private key in PEM.');
  try {
    return openPrivateKey(pem, passphrase);
  } catch (error) {
    throw new RotationError('ImportKeyLocked', `The key cannot be read: ${(error as Error).message}.`);
  }
}

function refuseUnusable(certificate: CertificateFacts, now: Date): void {
  const { subject, notBefore, notAfter } = certificate;
  const malformed = unreadable(certificate);
  if (malformed) throw new RotationError('ImportMalformed', `${subject} ${malformed}.`);
  if (!isValidAt(certificate, now))
    throw new RotationError('ImportExpired', `${subject} is valid from ${notBefore} to ${notAfter} only.`);
  const weak = weakness(certificate);
  if (weak) throw new RotationError('ImportTooWeak', `${subject} ${weak}.`);
}

/** Temporal Cloud takes no chain in which two have one name, whatever the case (safety 2). */
function refuseSharedNames(chain: readonly CertificateFacts[]): void {
  const names = chain.map(({ subject }) => subject.toLowerCase());
  const shared = chain.find((_, index) => names.indexOf(names[index]!) < index);
  if (shared) throw new RotationError('ImportChainIncomplete', `Two of the chain have the name ${shared.subject}.`);
}
