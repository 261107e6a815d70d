import { randomBytes } from 'node:crypto';
import { RotationError } from '../domain/failures.js';
import { admissionRefusal } from '../x509/admission.js';
import { intermediatesOf } from '../x509/chain.js';
import { checkCa, checkLeaf, warningsOf } from '../x509/check.js';
import type { KeyPair } from '../x509/pair.js';
import type { CaRequest, Issued, LeafRequest } from './issuer.js';

const maxCommonName = 64;

/** The CA that was made for a request, read back and found good; throws `IssuedCertificateInvalid`. */
export function issuedCa(made: KeyPair, request: CaRequest): Issued {
  refuse(made, checkCa(made, request));
  return { ...made, warnings: warningsOf(made.certificate) };
}

/** The leaf that was made for a request, read back and found good; throws `IssuedCertificateInvalid`. */
export function issuedLeaf(made: KeyPair, ca: KeyPair, request: LeafRequest): Issued {
  refuse(made, checkLeaf(made, ca, request));
  const { certificate } = made;
  // A leaf of a CA that is younger than now begins with it.
  const begin = new Date(Math.max(request.now.getTime(), Date.parse(certificate.notBefore)));
  const refusal = admissionRefusal(certificate, [ca.certificate, ...(ca.chain ?? [])], begin);
  refuse(made, refusal && `is not admitted under its CA: ${refusal}`);
  const chain = ca.chain && intermediatesOf(ca);
  return { ...made, ...(chain && { chain }), warnings: warningsOf(certificate) };
}

function refuse({ certificate }: KeyPair, problem: string | undefined): void {
  if (problem)
    throw new RotationError('IssuedCertificateInvalid', `The certificate ${certificate.subject} ${problem}.`);
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
