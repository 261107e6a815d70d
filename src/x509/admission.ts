import { isValidAt, type CertificateFacts } from '../domain/certificate.js';
import { oids } from './der.js';
import { generalNamesOf, nameConstraintsOf, nameRefusal } from './name-constraints.js';
import { parsed } from './parsed.js';
import { extensionsOf, issuedBy, keyUsage, pathLength } from './read.js';
import { unreadable } from './readable.js';

/**
 * Would a server that trusts the last of `cas` admit this leaf for client authentication? `cas`: whoever issued it, then those
 * above, up to a root. Judged as Go's crypto/x509 does (Certificate.Verify), because Temporal Cloud's front ends go by it
 * (safety 3; docs/decisions/0004). Undefined, or the reason of the refusal, which names the certificate.
 */
export function admissionRefusal(
  leaf: CertificateFacts,
  cas: readonly CertificateFacts[],
  now: Date,
): string | undefined {
  return ownRefusal(leaf, now) ?? linkRefusal(leaf, cas[0]!) ?? chainRefusal(cas, now) ?? nameRefusal([leaf, ...cas]);
}

/** The same of the CAs alone: the reason why no leaf of the first of them is admitted, whatever its names. */
export function chainRefusal(cas: readonly CertificateFacts[], now: Date): string | undefined {
  const refusals = cas.map((ca, below) => {
    const above = cas[below + 1];
    return ownRefusal(ca, now) ?? signerRefusal(ca, below) ?? (above && linkRefusal(ca, above));
  });
  return refusals.find((one) => one !== undefined) ?? nameRefusal(cas);
}

function ownRefusal(certificate: CertificateFacts, now: Date): string | undefined {
  const { subject, pem, notBefore, notAfter } = certificate;
  const malformed = unreadable(certificate);
  if (malformed) return `${subject} ${malformed}`;
  const unknown = extensionsOf(certificate).find(({ critical, id }) => critical && !isHandled(certificate, id));
  if (unknown) return `${subject} has a critical extension that servers do not know (${unknown.id})`;
  if (!isValidAt(certificate, now)) return `${subject} is valid from ${notBefore} to ${notAfter} only`;
  // Undefined where it names none, whatever its type says.
  const purposes = (parsed(pem).x509.keyUsage as readonly string[] | undefined) ?? [];
  const isForClients = purposes.some((purpose) => purpose === oids.clientAuth || purpose === oids.anyPurpose);
  return purposes.length === 0 || isForClients
    ? undefined
    : `${subject} has purposes, and not that of client authentication`;
}

/** @param below how many CAs lie between it and the leaf. */
function signerRefusal(ca: CertificateFacts, below: number): string | undefined {
  if (!ca.isCa || keyUsage(ca)?.includes('keyCertSign') === false) return `${ca.subject} may not sign certificates`;
  const most = pathLength(ca);
  return most !== undefined && below > most
    ? `${ca.subject} has a path length of ${most}, and ${below} CAs are below it`
    : undefined;
}

const linkRefusal = (child: CertificateFacts, ca: CertificateFacts): string | undefined =>
  issuedBy(child, ca) ? undefined : `${child.subject} was not issued by ${ca.subject}, or spells its name otherwise`;

/** Extensions that Go minds, and may therefore be critical. */
const handled: readonly string[] = [
  oids.subjectKeyIdentifier,
  oids.keyUsage,
  oids.subjectAltName,
  oids.basicConstraints,
  oids.nameConstraints,
  '2.5.29.31', // CRL distribution points
  '2.5.29.32', // certificate policies
  '2.5.29.33', // policy mappings
  oids.authorityKeyIdentifier,
  '2.5.29.36', // policy constraints
  oids.extendedKeyUsage,
  '2.5.29.54', // inhibit any policy
];

/** Of alternative names it must know one, of name constraints all. */
function isHandled(certificate: CertificateFacts, id: string): boolean {
  if (id === oids.subjectAltName) return generalNamesOf(certificate)!.some(({ kind }) => kind !== 'other');
  if (id === oids.nameConstraints) {
    const { permitted, excluded } = nameConstraintsOf(certificate)!;
    return [...permitted, ...excluded].every(({ kind }) => kind !== 'other');
  }
  return handled.includes(id);
}
