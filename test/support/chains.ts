import forge from 'node-forge';
import type { CertificateFacts } from '../../src/domain/certificate.js';
import type { KeyAlgorithm } from '../../src/issuers/issuer.js';
import { buildCertificate, distinguishedName, extensions, keyIdentifier, publicHalf } from '../../src/x509/build.js';
import { boolean, integer, octets, oid, oids, sequence, set, tagged, toDer, type Asn1 } from '../../src/x509/der.js';
import { generateKey } from '../../src/x509/generate.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { parsed } from '../../src/x509/parsed.js';
import type { PrivateKey } from '../../src/x509/private-key.js';
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
  readonly subject?: Asn1;
  /** Its issuer as it is written into it; absent: the subject of whoever issued it. */
  readonly issuerName?: Asn1;
  /** Further ones. */
  readonly extensions?: readonly Asn1[];
  readonly now?: Date;
  readonly lifetimeMs?: number;
  readonly algorithm?: KeyAlgorithm;
}

/** Subtrees (RFC 5280 4.2.1.10), each a name from `generalNames`. */
export interface Constraints {
  readonly permitted?: readonly Asn1[];
  readonly excluded?: readonly Asn1[];
  /** Absent: it is. */
  readonly critical?: boolean;
}

/** GeneralName (RFC 5280 4.2.1.6). */
export const generalNames = {
  email: (text: string) => tagged(1, false, text),
  dns: (text: string) => tagged(2, false, text),
  directory: (name: Asn1) => tagged(4, true, [name]),
  uri: (text: string) => tagged(6, false, text),
  /** An address; in a constraint followed by its mask. */
  ip: (...octets: readonly number[]) => tagged(7, false, Buffer.from(octets).toString('latin1')),
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
  const key = await generateKey(algorithm);
  const publicKey = publicHalf(key);
  const subject = options.subject ?? distinguishedName({ organization: 'Acme', commonName: name });
  const pem = buildCertificate(
    {
      serial: nextSerial(),
      notBefore: new Date(now.getTime() - 300_000),
      notAfter: new Date(now.getTime() + lifetimeMs),
      subject,
      issuer: options.issuerName ?? (issuer ? parsed(issuer.certificate.pem).subject : subject),
      publicKey,
      extensions: [
        basicConstraints(options.pathLength),
        extensions.keyCertSignAndCrlSign(),
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

let leafKey: Promise<PrivateKey> | undefined;

/** A client leaf with these alternative names, whatever its CA allows: no issuer judges it. */
export async function aLeafUnder(
  { certificate, key }: KeyPair,
  names: readonly Asn1[] = [],
  commonName = 'worker',
): Promise<CertificateFacts> {
  leafKey ??= generateKey('P-256');
  const pem = buildCertificate(
    {
      serial: nextSerial(),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + day),
      subject: distinguishedName({ organization: 'Acme', commonName }),
      issuer: parsed(certificate.pem).subject,
      publicKey: publicHalf(await leafKey),
      extensions: [
        extensions.clientAuth(),
        ...(names.length > 0 ? [extension(oids.subjectAltName, false, sequence(...names))] : []),
      ],
    },
    key,
  );
  return readCertificate(pem);
}

/** A name as Go writes it, in PrintableStrings. */
export const printableName = (...attributes: readonly (readonly [type: string, value: string])[]): Asn1 =>
  sequence(
    ...attributes.map(([type, value]) =>
      set(
        sequence(
          oid(type),
          forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.PRINTABLESTRING, false, value),
        ),
      ),
    ),
  );

export const extension = (type: string, critical: boolean, value: Asn1): Asn1 =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(toDer(value)));

const basicConstraints = (length?: number): Asn1 =>
  extension(
    oids.basicConstraints,
    true,
    sequence(boolean(true), ...(length === undefined ? [] : [integer(Buffer.of(length))])),
  );

const extendedKeyUsage = (purposes: readonly string[]): Asn1 =>
  extension(oids.extendedKeyUsage, false, sequence(...purposes.map(oid)));

const nameConstraints = ({ permitted, excluded, critical = true }: Constraints): Asn1 => {
  const subtrees = (tag: number, names: readonly Asn1[] = []) =>
    names.length > 0
      ? [
          tagged(
            tag,
            true,
            names.map((name) => sequence(name)),
          ),
        ]
      : [];
  return extension(oids.nameConstraints, critical, sequence(...subtrees(0, permitted), ...subtrees(1, excluded)));
};
