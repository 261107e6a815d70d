/** Alerts by which a server refuses a client's certificate (RFC 8446 6.2); another one is trouble of the server. */
const certificateAlerts = [
  'bad certificate',
  'unsupported certificate',
  'certificate revoked',
  'certificate expired',
  'certificate unknown',
  'certificate required',
  'unknown ca',
  'access denied',
] as const;

export type CertificateAlert = (typeof certificateAlerts)[number];

/** As the RFC and OpenSSL name it. */
export function isCertificateAlert(name: string): name is CertificateAlert {
  return (certificateAlerts as readonly string[]).includes(name);
}
