import type { CertificateFacts, Fingerprint } from '../domain/certificate.js';
import type { KeyPair } from './pair.js';
import { signedBy } from './read.js';

/** Signed by itself: the end of every chain. */
export const isRoot = (certificate: CertificateFacts): boolean =>
  certificate.isCa && signedBy(certificate, certificate);

/** The certificates above `certificate` up to its root, issuer first; undefined where `others` do not lead there. */
export function pathToRoot(
  certificate: CertificateFacts,
  others: readonly CertificateFacts[],
): readonly CertificateFacts[] | undefined {
  if (isRoot(certificate)) return [];
  const rest = others.filter(({ fingerprint }) => fingerprint !== certificate.fingerprint);
  for (const issuer of rest.filter((candidate) => candidate.isCa && signedBy(certificate, candidate))) {
    const above = pathToRoot(issuer, rest);
    if (above) return [issuer, ...above];
  }
  return undefined;
}

/** What a leaf of this CA presents besides itself: the CA and its intermediates, never the root. */
export function intermediatesOf({ certificate, chain = [] }: KeyPair): readonly CertificateFacts[] {
  return [certificate, ...chain].filter((one) => !isRoot(one));
}

/** `tls.crt`: the certificate, then what is presented with it. */
export const presented = ({ certificate, chain = [] }: Omit<KeyPair, 'key'>): string =>
  [certificate, ...chain].map(({ pem }) => pem).join('');

/** Of CAs that others of them issued, by whom: the signature decides. Roots are not in it. */
export function issuersAmong(cas: readonly CertificateFacts[]): ReadonlyMap<Fingerprint, Fingerprint> {
  const issuers = cas.flatMap((ca): [Fingerprint, Fingerprint][] => {
    const issuer = isRoot(ca) ? undefined : cas.find((other) => signedBy(ca, other));
    return issuer ? [[ca.fingerprint, issuer.fingerprint]] : [];
  });
  return new Map(issuers);
}

/** The CAs of a bundle that a leaf chains to, by way of what it presents; any of them may be what admits it. */
export function anchorsOf(
  { certificate, chain = [] }: Omit<KeyPair, 'key'>,
  bundle: readonly CertificateFacts[],
): readonly Fingerprint[] {
  const links = [certificate, ...chain];
  return bundle
    .filter((ca) => links.some((link) => link.fingerprint !== ca.fingerprint && signedBy(link, ca)))
    .map(({ fingerprint }) => fingerprint);
}
