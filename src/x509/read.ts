import forge from 'node-forge';
import type { CertificateFacts } from '../domain/certificate.js';
import type { PrivateKey } from './private-key.js';
import { oids, parseDer, toDer, type Asn1 } from './der.js';
import { children, parsed, type Extension, type Parsed } from './parsed.js';

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads one certificate. Throws an Error that says what is wrong; its text holds nothing of the input. */
export function readCertificate(pem: string): CertificateFacts {
  const [certificate, ...more] = readCertificates(pem);
  if (!certificate || more.length > 0)
    throw new Error(`expected one certificate, found ${more.length + (certificate ? 1 : 0)}`);
  return certificate;
}

/** Reads a bundle, in its order. Text outside of the PEM blocks other than white space and `#` comments is refused. */
export function readCertificates(bundle: string): CertificateFacts[] {
  const rest = bundle.replace(pemBlock, '').replace(/^\s*#.*$/gm, '');
  if (rest.trim() !== '') throw new Error('the bundle holds text that is no certificate');
  return [...bundle.matchAll(pemBlock)].map(([block], index) => {
    try {
      return factsOf(block);
    } catch (error) {
      throw new Error(`certificate ${index + 1} of the bundle cannot be read`, { cause: error });
    }
  });
}

/** Signatures that were verified, by the certificates that were read: each is asked for several times in a row. */
const verified = new WeakMap<Parsed, WeakSet<Parsed>>();

/** `leaf` was signed by `ca`: the signature is verified, names alone never decide. */
export function signedBy(leaf: CertificateFacts, ca: CertificateFacts): boolean {
  const [child, parent] = [parsed(leaf.pem), parsed(ca.pem)];
  if (verified.get(child)?.has(parent)) return true;
  if (!child.x509.checkIssued(parent.x509) || !child.x509.verify(parent.x509.publicKey)) return false;
  verified.set(child, (verified.get(child) ?? new WeakSet()).add(parent));
  return true;
}

/** The same as servers see it: they find the issuer by its name, which is in `child` byte for byte as in `ca` (safety 1). */
export const issuedBy = (child: CertificateFacts, ca: CertificateFacts): boolean =>
  toDer(parsed(child.pem).issuer).equals(toDer(parsed(ca.pem).subject)) && signedBy(child, ca);

export function keyMatches(certificate: CertificateFacts, key: PrivateKey): boolean {
  return parsed(certificate.pem).x509.checkPrivateKey(key.keyObject());
}

function factsOf(pem: string): CertificateFacts {
  const { x509: certificate, ...fields } = parsed(pem);
  const subject = attributesOf(fields.subject);
  const values = (oid: string) => subject.filter((attribute) => attribute.oid === oid).map(({ value }) => value);
  return {
    fingerprint: plainHex(certificate.fingerprint256),
    sha1: plainHex(certificate.fingerprint),
    pem: toPem(certificate.raw),
    subject: nameText(subject),
    issuer: nameText(attributesOf(fields.issuer)),
    serial: certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, ''),
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    isCa: certificate.ca,
    commonNames: values(oids.commonName),
    organizations: values(oids.organization),
    organizationalUnits: values(oids.organizationalUnit),
    subjectAlternativeNames: alternativeNames(fields.extensions),
  };
}

const plainHex = (colons: string): string => colons.replaceAll(':', '').toLowerCase();

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

interface Attribute {
  readonly oid: string;
  readonly value: string;
}

function attributesOf(name: Asn1): Attribute[] {
  return children(name).flatMap((set) =>
    children(set).map((attribute) => {
      const [type, value] = children(attribute);
      return { oid: forge.asn1.derToOid(type!.value as string), value: textOf(value!) };
    }),
  );
}

/** Of a BMPString node-forge decodes the characters itself; those of a T61String count as Latin-1, as Go has it. */
function textOf({ type, value }: Asn1): string {
  const t61String = 20;
  return type === forge.asn1.Type.BMPSTRING || Number(type) === t61String
    ? (value as string)
    : Buffer.from(value as string, 'latin1').toString('utf8');
}

const shortNames: Readonly<Record<string, string>> = {
  [oids.commonName]: 'CN',
  [oids.organization]: 'O',
  [oids.organizationalUnit]: 'OU',
};

/** Most specific attribute first, as RFC 2253 writes it. */
function nameText(attributes: readonly Attribute[]): string {
  const escape = (value: string) => value.replace(/[,+"\\<>;]/g, '\\$&');
  return [...attributes]
    .reverse()
    .map(({ oid, value }) => `${shortNames[oid] ?? oid}=${escape(value)}`)
    .join(',');
}

function alternativeNames(extensions: readonly Extension[]): string[] {
  const value = valueOf(extensions, oids.subjectAltName);
  const [dns, uri] = [2, 6];
  return value
    ? children(value).flatMap((name) =>
        Number(name.type) === dns || Number(name.type) === uri ? [name.value as string] : [],
      )
    : [];
}

/** The DER inside an extension; undefined when the certificate does not have it. */
export const extensionOf = ({ pem }: CertificateFacts, oid: string): Asn1 | undefined =>
  valueOf(parsed(pem).extensions, oid);

function valueOf(extensions: readonly Extension[], oid: string): Asn1 | undefined {
  const found = extensions.find(({ id }) => id === oid);
  return found && parseDer(octetsOf(found.octets));
}

/** The SKI as it stands in the certificate, which need not be the hash that we would compute. */
export function subjectKeyIdentifier(certificate: CertificateFacts): Buffer | undefined {
  const value = extensionOf(certificate, oids.subjectKeyIdentifier);
  return value && Buffer.from(value.value as string, 'latin1');
}

/** The key identifier in the AKI; undefined where there is none. */
export function authorityKeyIdentifier(certificate: CertificateFacts): Buffer | undefined {
  const value = extensionOf(certificate, oids.authorityKeyIdentifier);
  const id = value && children(value).find(({ type }) => Number(type) === 0);
  return id && Buffer.from(id.value as string, 'latin1');
}

/** How many CAs may lie between a CA and a leaf (RFC 5280 4.2.1.9); undefined: any number. */
export function pathLength(certificate: CertificateFacts): number | undefined {
  const value = extensionOf(certificate, oids.basicConstraints);
  const length = value && children(value).find(({ type }) => type === forge.asn1.Type.INTEGER);
  return length && Number.parseInt(Buffer.from(length.value as string, 'latin1').toString('hex'), 16);
}

const usages = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const;

/** Of the key usages that matter here, those that it names (RFC 5280 4.2.1.3); undefined when it has no such extension. */
export function keyUsage(certificate: CertificateFacts): readonly (keyof typeof usages)[] | undefined {
  const value = extensionOf(certificate, oids.keyUsage) as (Asn1 & { bitStringContents?: string }) | undefined;
  // The first byte counts the unused bits of the last.
  const bits = (value?.bitStringContents ?? (value?.value as string | undefined))?.charCodeAt(1);
  const names = Object.keys(usages) as (keyof typeof usages)[];
  return bits === undefined ? undefined : names.filter((name) => bits & usages[name]);
}

/** Object identifier of the algorithm that the certificate is signed with. */
export function signatureAlgorithm({ pem }: CertificateFacts): string {
  return forge.asn1.derToOid(children(parsed(pem).signature)[0]!.value as string);
}

/** What extensions a certificate has, each as often as it stands there. */
export const extensionsOf = ({ pem }: CertificateFacts): readonly Extension[] => parsed(pem).extensions;

/** forge parses the inside of an octet string where it can; encoding it again gives the octets back. */
function octetsOf({ value }: Asn1): Buffer {
  return Array.isArray(value) ? Buffer.concat(value.map(toDer)) : Buffer.from(value, 'latin1');
}
