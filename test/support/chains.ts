import type { CertificateFacts } from '../../src/domain/certificate.js';
import type { KeyAlgorithm } from '../../src/issuers/issuer.js';
import { buildCertificate, distinguishedName, extensions } from '../../src/x509/build.js';
import { oids, toDer } from '../../src/x509/der.js';
import { boolean, element, integer, octets, oid, sequence, set, tagged, type Der } from '../../src/x509/encode.js';
import { generateKey, type GeneratedKey } from '../../src/x509/generate.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { parsed } from '../../src/x509/parsed.js';
import { keyIdentifier } from '../../src/x509/public-key.js';
import { readCertificate, subjectKeyIdentifier } from '../../src/x509/read.js';

const day = 86_400_000;

export interface CaOptions {
  readonly name?: string;
  /** Absent: no limit. */
  readonly pathLength?: number;
  /** Object identifiers of extended key usages; absent: any. */
  readonly purposes?: readonly string[];
  /** What those below it may be named; absent: anything. */
  readonly constraints?: Constraints;
  /** Instead of an organization and `name`. */
  readonly subject?: Der;
  /** Its issuer as it is written into it; absent: the subject of whoever issued it. */
  readonly issuerName?: Der;
  /** Further ones. */
  readonly extensions?: readonly Der[];
  readonly now?: Date;
  readonly lifetimeMs?: number;
  readonly algorithm?: KeyAlgorithm;
}

/** Subtrees (RFC 5280 4.2.1.10), each a name from `generalNames`. */
export interface Constraints {
  readonly permitted?: readonly Der[];
  readonly excluded?: readonly Der[];
  /** Absent: it is. */
  readonly critical?: boolean;
}

/** GeneralName (RFC 5280 4.2.1.6). */
export const generalNames = {
  email: (text: string) => tagged(1, false, Buffer.from(text, 'latin1')),
  dns: (text: string) => tagged(2, false, Buffer.from(text, 'latin1')),
  directory: (name: Der) => tagged(4, true, name),
  uri: (text: string) => tagged(6, false, Buffer.from(text, 'latin1')),
  /** An address; in a constraint followed by its mask. */
  ip: (...octets: readonly number[]) => tagged(7, false, Buffer.from(octets)),
} as const;

let count = 0;

function nextSerial(): Buffer {
  const serial = Buffer.alloc(4);
  serial.writeUInt32BE(++count);
  return serial;
}

/** A CA with the extensions asked for, issued by `issuer` or by itself; its chain goes up to the root. */
export async function aCaUnder(issuer: KeyPair | undefined, options: CaOptions = {}): Promise<KeyPair> {
  const { name = `CA ${++count}`, now = new Date(), lifetimeMs = 365 * day, algorithm = 'P-256' } = options;
  const { privateKey: key, publicKey } = await generateKey(algorithm);
  const subject = options.subject ?? distinguishedName({ organization: 'Acme', commonName: name });
  const pem = buildCertificate(
    {
      serial: nextSerial(),
      notBefore: new Date(now.getTime() - 300_000),
      notAfter: new Date(now.getTime() + lifetimeMs),
      subject,
      issuer: options.issuerName ?? (issuer ? subjectOf(issuer.certificate) : subject),
      publicKey,
      extensions: [
        basicConstraints(options.pathLength),
        extensions.keyCertSignAndCrlSign,
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
        ...(issuer ? [extensions.authorityKeyIdentifier(subjectKeyIdentifier(issuer.certificate)!)] : []),
        ...(options.purposes ? [extendedKeyUsage(options.purposes)] : []),
        ...(options.constraints ? [nameConstraints(options.constraints)] : []),
        ...(options.extensions ?? []),
      ],
    },
    issuer?.key ?? key,
  );
  const chain = issuer && [issuer.certificate, ...(issuer.chain ?? [])];
  return { certificate: readCertificate(pem), key, ...(chain && { chain }) };
}

let leafKey: Promise<GeneratedKey> | undefined;

/** A client leaf with these alternative names, whatever its CA allows: no issuer judges it. */
export async function aLeafUnder(
  { certificate, key }: KeyPair,
  names: readonly Der[] = [],
  commonName = 'worker',
): Promise<CertificateFacts> {
  leafKey ??= generateKey('P-256');
  const pem = buildCertificate(
    {
      serial: nextSerial(),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + day),
      subject: distinguishedName({ organization: 'Acme', commonName }),
      issuer: subjectOf(certificate),
      publicKey: (await leafKey).publicKey,
      extensions: [
        extensions.clientAuth,
        ...(names.length > 0 ? [extension(oids.subjectAltName, false, sequence(...names))] : []),
      ],
    },
    key,
  );
  return readCertificate(pem);
}

/** As it stands in the certificate. */
export const subjectOf = ({ pem }: CertificateFacts): Der => toDer(parsed(pem).subject);

const printableString = 0x13;

/** A name as Go writes it, in PrintableStrings. */
export const printableName = (...attributes: readonly (readonly [type: string, value: string])[]): Der =>
  sequence(
    ...attributes.map(([type, value]) =>
      set(sequence(oid(type), element(printableString, Buffer.from(value, 'latin1')))),
    ),
  );

export const extension = (type: string, critical: boolean, value: Der): Der =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(value));

const basicConstraints = (length?: number): Der =>
  extension(
    oids.basicConstraints,
    true,
    sequence(boolean(true), ...(length === undefined ? [] : [integer(Buffer.of(length))])),
  );

const extendedKeyUsage = (purposes: readonly string[]): Der =>
  extension(oids.extendedKeyUsage, false, sequence(...purposes.map(oid)));

const nameConstraints = ({ permitted, excluded, critical = true }: Constraints): Der => {
  const subtrees = (tag: number, names: readonly Der[] = []) =>
    names.length > 0 ? [tagged(tag, true, ...names.map((name) => sequence(name)))] : [];
  return extension(oids.nameConstraints, critical, sequence(...subtrees(0, permitted), ...subtrees(1, excluded)));
};
