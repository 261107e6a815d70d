import type { KeyAlgorithm } from '../../src/issuers/issuer.js';
import { buildCertificate, distinguishedName, extensions, keyIdentifier, publicHalf } from '../../src/x509/build.js';
import { boolean, integer, octets, oid, oids, sequence, tagged, toDer, type Asn1 } from '../../src/x509/der.js';
import { generateKey } from '../../src/x509/generate.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { readCertificate, subjectKeyIdentifier } from '../../src/x509/read.js';

const day = 86_400_000;

export interface CaOptions {
  readonly name?: string;
  /** Absent: no limit. */
  readonly pathLength?: number;
  /** Object identifiers of extended key usages; absent: any. */
  readonly purposes?: readonly string[];
  /** The only DNS domains that leaves may name; absent: any. */
  readonly domains?: readonly string[];
  readonly now?: Date;
  readonly lifetimeMs?: number;
  readonly algorithm?: KeyAlgorithm;
}

let count = 0;

/** A CA with the extensions asked for, issued by `issuer` or by itself; its chain goes up to the root. */
export async function aCaUnder(issuer: KeyPair | undefined, options: CaOptions = {}): Promise<KeyPair> {
  const { name = `CA ${++count}`, now = new Date(), lifetimeMs = 365 * day, algorithm = 'P-256' } = options;
  const key = await generateKey(algorithm);
  const publicKey = publicHalf(key);
  const subject = distinguishedName({ organization: 'Acme', commonName: name });
  const pem = buildCertificate(
    {
      serial: Buffer.of(++count),
      notBefore: new Date(now.getTime() - 300_000),
      notAfter: new Date(now.getTime() + lifetimeMs),
      subject,
      issuer: issuer
        ? distinguishedName({ organization: 'Acme', commonName: issuer.certificate.commonNames[0] })
        : subject,
      publicKey,
      extensions: [
        basicConstraints(options.pathLength),
        extensions.keyCertSignAndCrlSign(),
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
        ...(issuer ? [extensions.authorityKeyIdentifier(subjectKeyIdentifier(issuer.certificate)!)] : []),
        ...(options.purposes ? [extendedKeyUsage(options.purposes)] : []),
        ...(options.domains ? [nameConstraints(options.domains)] : []),
      ],
    },
    issuer?.key ?? key,
  );
  const chain = issuer && [issuer.certificate, ...(issuer.chain ?? [])];
  return { certificate: readCertificate(pem), key, ...(chain && { chain }) };
}

const extension = (type: string, critical: boolean, value: Asn1): Asn1 =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(toDer(value)));

const basicConstraints = (pathLength?: number): Asn1 =>
  extension(
    oids.basicConstraints,
    true,
    sequence(boolean(true), ...(pathLength === undefined ? [] : [integer(Buffer.of(pathLength))])),
  );

const extendedKeyUsage = (purposes: readonly string[]): Asn1 =>
  extension(oids.extendedKeyUsage, false, sequence(...purposes.map(oid)));

/** RFC 5280 4.2.1.10: permitted subtrees, each a DNS name. */
const nameConstraints = (domains: readonly string[]): Asn1 =>
  extension(
    '2.5.29.30',
    true,
    sequence(
      tagged(
        0,
        true,
        domains.map((domain) => sequence(tagged(2, false, domain))),
      ),
    ),
  );
