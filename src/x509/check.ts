import type { CertificateFacts } from '../domain/certificate.js';
import type { CaRequest, LeafRequest } from '../issuers/issuer.js';
import { oids } from './der.js';
import type { KeyPair } from './pair.js';
import { parsed } from './parsed.js';
import {
  authorityKeyIdentifier,
  extensionOf,
  issuedBy,
  keyMatches,
  keyUsage,
  signatureAlgorithm,
  signedBy,
  subjectKeyIdentifier,
} from './read.js';
import { unreadable } from './readable.js';

/** Every certificate is read back and checked before it is used: the reason why it must not be, or undefined. */
export function checkCa(made: KeyPair, asked: CaRequest): string | undefined {
  const { certificate } = made;
  if (!certificate.isCa) return 'is no CA';
  if (!issuedBy(certificate, certificate)) return 'is not signed by its own key';
  if (keyUsage(certificate)?.includes('keyCertSign') === false) return 'may not sign certificates';
  return checkAlgorithm(made, asked) ?? checkAny(made) ?? checkLifetime(certificate, asked);
}

export function checkLeaf(made: KeyPair, ca: KeyPair, asked: LeafRequest): string | undefined {
  const { certificate } = made;
  if (certificate.isCa) return 'is a CA';
  const above = [ca.certificate, ...(ca.chain ?? [])];
  if (above.some(({ subject }) => subject.toLowerCase() === certificate.subject.toLowerCase()))
    return 'has the name of a CA above it';
  const foreign = checkAuthorityKeyIdentifier(certificate, ca.certificate);
  if (foreign) return foreign;
  if (!signedBy(certificate, ca.certificate)) return 'is not signed by its CA';
  if (!issuedBy(certificate, ca.certificate)) return 'has an issuer that is not the subject of its CA, byte for byte';
  if (Date.parse(certificate.notAfter) > Date.parse(ca.certificate.notAfter)) return 'outlives its CA';
  if (Date.parse(certificate.notBefore) < Date.parse(ca.certificate.notBefore)) return 'begins before its CA';
  return (
    checkUsage(certificate) ??
    checkNames(certificate, asked) ??
    checkAlgorithm(made, asked) ??
    checkAny(made) ??
    checkLifetime(certificate, asked, ca.certificate)
  );
}

/** Where both say one; node looks at it, too, before it looks at the signature. */
function checkAuthorityKeyIdentifier(certificate: CertificateFacts, ca: CertificateFacts): string | undefined {
  const [wanted, found] = [subjectKeyIdentifier(ca), authorityKeyIdentifier(certificate)];
  return wanted && found && !wanted.equals(found)
    ? 'has an authority key identifier that is not the subject key identifier of its CA'
    : undefined;
}

/** Programs date certificates back, certstrap by ten minutes, and count from when they run. */
const toleranceMs = 15 * 60_000;

/** As asked, but within the lifetime of the CA. */
function checkLifetime(
  { notBefore, notAfter }: CertificateFacts,
  { now, lifetimeMs }: CaRequest | LeafRequest,
  ca?: CertificateFacts,
): string | undefined {
  const begin = Math.max(now.getTime(), ca ? Date.parse(ca.notBefore) : -Infinity);
  const end = Math.min(now.getTime() + lifetimeMs, ca ? Date.parse(ca.notAfter) : Infinity);
  const isNear = (time: string, wanted: number) => Math.abs(Date.parse(time) - wanted) <= toleranceMs;
  if (!isNear(notBefore, begin))
    return `begins at ${notBefore} (notBefore), not about ${new Date(begin).toISOString()}`;
  return isNear(notAfter, end)
    ? undefined
    : `ends at ${notAfter} (notAfter), not about ${new Date(end).toISOString()} as asked`;
}

/** Without the extensions a certificate may be used for anything; with them, only for what they name. */
function checkUsage(certificate: CertificateFacts): string | undefined {
  const purposes = parsed(certificate.pem).x509.keyUsage;
  const usage = keyUsage(certificate);
  return (purposes && !purposes.includes(oids.clientAuth)) || (usage && !usage.includes('digitalSignature'))
    ? 'is not for client authentication'
    : undefined;
}

/** Every name that was asked for is there: filters and people go by them. A program may add names of its own. */
function checkNames(certificate: CertificateFacts, { subject, dnsNames = [], uris = [] }: LeafRequest) {
  const { commonNames, organizations, organizationalUnits, subjectAlternativeNames } = certificate;
  const has = (values: readonly string[], wanted?: string) =>
    wanted === undefined || (values.length === 1 && values[0] === wanted);
  const complete =
    has(commonNames, subject.commonName) &&
    has(organizations, subject.organization) &&
    has(organizationalUnits, subject.organizationalUnit) &&
    [...dnsNames, ...uris].every((name) => subjectAlternativeNames.includes(name));
  return complete ? undefined : 'does not have the names that were asked for';
}

function checkAlgorithm({ certificate }: KeyPair, { algorithm }: Pick<LeafRequest, 'algorithm'>): string | undefined {
  const made = keyAlgorithmOf(certificate);
  return made === algorithm ? undefined : `has a key of type ${made}, not ${algorithm}`;
}

function checkAny({ certificate, key }: KeyPair): string | undefined {
  if (!keyMatches(certificate, key)) return 'does not match its key';
  if (Date.parse(certificate.notAfter) <= Date.parse(certificate.notBefore)) return 'ends before it begins';
  if (certificate.subject === '') return 'has no subject';
  if (certificate.commonNames.some((name) => Array.from(name).length > 64))
    return 'has a common name of more than 64 characters';
  return unreadable(certificate) ?? weakness(certificate);
}

const strongSignatures: readonly string[] = [
  oids.ecdsaWithSha256,
  oids.ecdsaWithSha384,
  oids.ecdsaWithSha512,
  oids.rsaWithSha256,
  oids.rsaWithSha384,
  oids.rsaWithSha512,
];

/** What Temporal Cloud does not accept of a signature or a key (docs.temporal.io/cloud/certificates), or undefined. */
export function weakness(certificate: CertificateFacts): string | undefined {
  const signature = signatureAlgorithm(certificate);
  if (!strongSignatures.includes(signature))
    return `is signed with ${signatureNames[signature] ?? signature}, not with RSA or ECDSA and SHA-256 or stronger`;
  const key = keyAlgorithmOf(certificate);
  return /^(P-(256|384|521)|RSA-(?!(512|768|1024)$)\d+)$/.test(key) ? undefined : `has a key of type ${key}`;
}

/** Of those that are refused, the ones that people meet. */
const signatureNames: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
  '1.3.101.112': 'Ed25519',
};

/** As in the configuration where it has a word for it: `P-384`, `RSA-2048`; else such as `ed25519`. */
function keyAlgorithmOf({ pem }: CertificateFacts): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = parsed(pem).x509.publicKey;
  if (asymmetricKeyType === 'rsa') return `RSA-${asymmetricKeyDetails!.modulusLength}`;
  const curve = asymmetricKeyDetails?.namedCurve;
  const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
  return curve ? (curves[curve] ?? curve) : (asymmetricKeyType ?? 'unknown');
}

/** Extensions that Temporal documents or RFC 5280 asks for, by what people call them. */
const documented = {
  ca: [
    ['basicConstraints', oids.basicConstraints],
    ['keyUsage', oids.keyUsage],
    ['subjectKeyIdentifier', oids.subjectKeyIdentifier],
  ],
  leaf: [
    ['basicConstraints', oids.basicConstraints],
    ['keyUsage', oids.keyUsage],
    ['extendedKeyUsage', oids.extendedKeyUsage],
    ['subjectKeyIdentifier', oids.subjectKeyIdentifier],
    ['authorityKeyIdentifier', oids.authorityKeyIdentifier],
  ],
} as const;

/** What a certificate should have and leaves out, in words. Servers let it pass: no reason to refuse it. */
export function warningsOf(certificate: CertificateFacts): readonly string[] {
  const missing = documented[certificate.isCa ? 'ca' : 'leaf']
    .filter(([, oid]) => !extensionOf(certificate, oid))
    .map(([name]) => name);
  const sentence = `${certificate.subject} leaves out ${missing.join(', ')}; the issuer builtin sets all that Temporal documents`;
  return missing.length > 0 ? [sentence] : [];
}
