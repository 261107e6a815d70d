import { randomBytes } from 'node:crypto';
import {
  buildCertificate,
  distinguishedName,
  extensions,
  keyIdentifier,
  publicHalf,
  publicKeyInfo,
} from '../x509/build.js';
import { generateKey } from '../x509/generate.js';
import type { KeyPair } from '../x509/pair.js';
import { parsed } from '../x509/parsed.js';
import { readCertificate, subjectKeyIdentifier } from '../x509/read.js';
import { generationName, issuedCa, issuedLeaf } from './issued.js';
import type { CaRequest, Issued, Issuer, LeafRequest } from './issuer.js';

/** Clocks differ: a certificate made now is valid for a server whose clock is behind. */
const backdateMs = 5 * 60_000;

/** Issuer `builtin`: node-forge encodes, node:crypto makes keys and signs. */
export function createBuiltinIssuer(): Issuer {
  return { createCa, issueLeaf };
}

async function createCa(request: CaRequest): Promise<Issued> {
  const key = await generateKey(request.algorithm);
  const publicKey = publicHalf(key);
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
        extensions.ca(),
        extensions.keyCertSignAndCrlSign(),
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
      ],
    },
    key,
  );
  const made = { certificate: readCertificate(pem), key };
  return issuedCa(made, request);
}

async function issueLeaf(ca: KeyPair, request: LeafRequest): Promise<Issued> {
  const key = await generateKey(request.algorithm);
  const publicKey = publicHalf(key);
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
      issuer,
      publicKey,
      extensions: [
        extensions.notCa(),
        extensions.digitalSignature(),
        extensions.clientAuth(),
        extensions.subjectKeyIdentifier(keyIdentifier(publicKey)),
        extensions.authorityKeyIdentifier(
          subjectKeyIdentifier(ca.certificate) ?? keyIdentifier(publicKeyInfo(x509.publicKey)),
        ),
        ...(names ? [names] : []),
      ],
    },
    ca.key,
  );
  const made = { certificate: readCertificate(pem), key };
  return issuedLeaf(made, ca, request);
}

/** 128 random bits; the integer encoder keeps it positive and minimal. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0]! |= 0x40;
  return bytes;
}

const wholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);
