import forge from 'node-forge';
import type { CertificateFacts } from '../domain/certificate.js';
import type { PrivateKey } from './private-key.js';
import { oids, parseDer, toDer, type Asn1 } from './der.js';
import { children, parsed } from './parsed.js';

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

/** `leaf` was signed by `ca`: the signature is verified, names alone never decide. */
export function signedBy(leaf: CertificateFacts, ca: CertificateFacts): boolean {
  const child = parsed(leaf.pem).x509;
  const parent = parsed(ca.pem).x509;
  return child.checkIssued(parent) && child.verify(parent.publicKey);
}

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
    subjectAlternativeNames: alternativeNames(fields.tbs),
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

function textOf({ type, value }: Asn1): string {
  const bytes = Buffer.from(value as string, 'latin1');
  return type === forge.asn1.Type.BMPSTRING ? bytes.swap16().toString('utf16le') : bytes.toString('utf8');
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

function alternativeNames(tbs: Asn1): string[] {
  const value = extensionValue(tbs, oids.subjectAltName);
  const [dns, uri] = [2, 6];
  return value
    ? children(value).flatMap((name) =>
        Number(name.type) === dns || Number(name.type) === uri ? [name.value as string] : [],
      )
    : [];
}

/** The DER inside an extension; undefined when the certificate does not have it. */
export function extensionOf({ pem }: CertificateFacts, oid: string): Asn1 | undefined {
  return extensionValue(parsed(pem).tbs, oid);
}

/** The SKI as it stands in the certificate, which need not be the hash that we would compute. */
export function subjectKeyIdentifier(certificate: CertificateFacts): Buffer | undefined {
  const value = extensionOf(certificate, oids.subjectKeyIdentifier);
  return value && Buffer.from(value.value as string, 'latin1');
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

function extensionValue(tbs: Asn1, oid: string): Asn1 | undefined {
  const extensions = children(tbs).find(
    ({ tagClass, type }) => tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && Number(type) === 3,
  );
  if (!extensions) return undefined;
  const found = children(children(extensions)[0]!)
    .map(children)
    .find(([id]) => forge.asn1.derToOid(id!.value as string) === oid);
  const octets = found?.at(-1);
  return octets && parseDer(octetsOf(octets));
}

/** forge parses the inside of an octet string where it can; encoding it again gives the octets back. */
function octetsOf({ value }: Asn1): Buffer {
  return Array.isArray(value) ? Buffer.concat(value.map(toDer)) : Buffer.from(value, 'latin1');
}
