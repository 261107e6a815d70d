import { randomBytes } from 'node:crypto';
import { buildCertificate, distinguishedName, extensions } from '../x509/build.js';
import { toDer } from '../x509/der.js';
import { generateKey } from '../x509/generate.js';
import type { KeyPair } from '../x509/pair.js';
import { parsed } from '../x509/parsed.js';
import type { PrivateKey } from '../x509/private-key.js';
import { keyIdentifier, publicKeyOf } from '../x509/public-key.js';
import { subjectKeyIdentifier } from '../x509/read.js';
import { generationName } from './issued.js';
import type { CaRequest, LeafRequest } from './issuer.js';

/** A certificate as it was made: nobody has read it back yet. */
export interface Made {
  readonly pem: string;
  readonly key: PrivateKey;
}

/** Clocks differ: a certificate made now is valid for a server whose clock is behind. */
const backdateMs = 5 * 60_000;

/** A self-signed CA with a new key, and with every extension that Temporal documents. */
export async function makeCa(request: CaRequest): Promise<Made> {
  const { privateKey: key, publicKey } = await generateKey(request.algorithm);
  const subject = distinguishedName({ ...request.subject, commonName: generationName(request) });
  const pem = buildCertificate(
    {
      serial: serial(),
      notBefore: wholeSeconds(request.now.getTime() - backdateMs),
      notAfter: wholeSeconds(request.now.getTime() + request.lifetimeMs),
      subject,
      issuer: subject,
      publicKey,
      extensions: [
        extensions.ca,
        extensions.keyCertSignAndCrlSign,
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
      ],
    },
    key,
  );
  return { pem, key };
}

/** A client leaf with a new key, within the lifetime of its CA. */
export async function makeLeaf(ca: KeyPair, request: LeafRequest): Promise<Made> {
  const { privateKey: key, publicKey } = await generateKey(request.algorithm);
  const { subject: issuer, x509 } = parsed(ca.certificate.pem);
  const start = Math.max(request.now.getTime() - backdateMs, Date.parse(ca.certificate.notBefore));
  const end = Math.min(request.now.getTime() + request.lifetimeMs, Date.parse(ca.certificate.notAfter));
  const names = extensions.alternativeNames(request.dnsNames ?? [], request.uris ?? []);
  const pem = buildCertificate(
    {
      serial: serial(),
      notBefore: wholeSeconds(start),
      notAfter: wholeSeconds(end),
      subject: distinguishedName(request.subject),
      issuer: toDer(issuer),
      publicKey,
      extensions: [
        extensions.notCa,
        extensions.digitalSignature,
        extensions.clientAuth,
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
        extensions.authorityKeyIdentifier(
          subjectKeyIdentifier(ca.certificate) ?? keyIdentifier(publicKeyOf(x509.publicKey)),
        ),
        ...(names ? [names] : []),
      ],
    },
    ca.key,
  );
  return { pem, key };
}

/** 128 random bits; the integer encoder keeps it positive and minimal. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0]! |= 0x40;
  return bytes;
}

const wholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);
