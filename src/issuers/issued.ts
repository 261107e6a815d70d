import { randomBytes } from 'node:crypto';
import { RotationError } from '../domain/failures.js';
import { checkCa, checkLeaf, warningsOf } from '../x509/check.js';
import type { KeyPair } from '../x509/pair.js';
import type { CaRequest, Issued, LeafRequest } from './issuer.js';

const maxCommonName = 64;

/** The CA that was made, read back and found good; throws `IssuedCertificateInvalid`. */
export const issuedCa = (made: KeyPair): Issued => accepted(made, checkCa(made));

/** The leaf that was made for a request, read back and found good; throws `IssuedCertificateInvalid`. */
export const issuedLeaf = (made: KeyPair, ca: KeyPair, request: LeafRequest): Issued =>
  accepted(made, checkLeaf(made, ca, request));

function accepted({ certificate, key }: KeyPair, problem: string | undefined): Issued {
  if (problem)
    throw new RotationError('IssuedCertificateInvalid', `The certificate ${certificate.subject} ${problem}.`);
  return { certificate, key, warnings: warningsOf(certificate) };
}

/** Unique per generation and attempt: two CAs of one name cannot be told apart by a person, nor by some TLS stacks. */
export function generationName({ subject, generation, now }: CaRequest): string {
  const suffix = ` CA g${generation} ${now.toISOString().slice(0, 10)} ${randomBytes(3).toString('hex')}`;
  const base = subject.commonName ?? subject.organization ?? subject.organizationalUnit ?? 'temporal';
  return (
    Array.from(base)
      .slice(0, maxCommonName - suffix.length)
      .join('') + suffix
  );
}
