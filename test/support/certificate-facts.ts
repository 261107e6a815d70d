import type { CertificateFacts } from '../../src/domain/certificate.js';

/** The facts of a certificate that exists in name only, for code that never parses it. */
export function certificateFacts(fingerprint: string, facts: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    fingerprint,
    sha1: 'sha1',
    pem: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
    subject: `CN=${fingerprint}`,
    issuer: 'CN=issuer',
    serial: '1',
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2236-01-01T00:00:00.000Z',
    isCa: fingerprint.includes('ca'),
    commonNames: [fingerprint],
    organizations: [],
    organizationalUnits: [],
    subjectAlternativeNames: [],
    ...facts,
  };
}
