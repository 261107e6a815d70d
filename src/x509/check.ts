import { X509Certificate } from 'node:crypto';
import type { KeyPair } from './pair.js';
import { keyMatches, signedBy } from './read.js';

/** Every certificate is read back and checked before it is used: the reason why it must not be, or undefined. */
export function checkCa(made: KeyPair): string | undefined {
  const { certificate } = made;
  if (!certificate.isCa) return 'is no CA';
  if (!signedBy(certificate, certificate)) return 'is not signed by its own key';
  return checkAny(made);
}

export function checkLeaf(made: KeyPair, ca: KeyPair): string | undefined {
  const { certificate } = made;
  if (certificate.isCa) return 'is a CA';
  if (certificate.subject.toLowerCase() === ca.certificate.subject.toLowerCase()) return 'has the name of its CA';
  if (!signedBy(certificate, ca.certificate)) return 'is not signed by its CA';
  if (Date.parse(certificate.notAfter) > Date.parse(ca.certificate.notAfter)) return 'outlives its CA';
  if (Date.parse(certificate.notBefore) < Date.parse(ca.certificate.notBefore)) return 'begins before its CA';
  if (!new X509Certificate(certificate.pem).keyUsage?.includes('1.3.6.1.5.5.7.3.2'))
    return 'is not for client authentication';
  return checkAny(made);
}

function checkAny({ certificate, key }: KeyPair): string | undefined {
  if (!keyMatches(certificate, key)) return 'does not match its key';
  if (Date.parse(certificate.notAfter) <= Date.parse(certificate.notBefore)) return 'ends before it begins';
  if (certificate.subject === '') return 'has no subject';
  if (certificate.commonNames.some((name) => [...name].length > 64))
    return 'has a common name of more than 64 characters';
  if (certificate.serial.length > 40) return 'has a serial number of more than 20 octets';
  return undefined;
}
