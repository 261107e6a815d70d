/**
 * What is known of a certificate. Public data only: it may travel through workflow histories. Parsing lives in `x509/`;
 * here are only the shapes and the questions that decisions ask of them.
 */

/** Lower-case hex SHA-256 of the certificate's DER. The name of a certificate everywhere in this system. */
export type Fingerprint = string;

/** A certificate, read. All times are RFC 3339 in UTC. */
export interface CertificateFacts {
  readonly fingerprint: Fingerprint;
  /** Lower-case hex SHA-1 of the DER: what tcld prints. Shown beside the fingerprint, never compared. */
  readonly sha1: string;
  /** The PEM text, one block, LF line ends, with a trailing newline. */
  readonly pem: string;
  /** RFC 2253 style, e.g. `CN=worker,O=acme`. For people; chains are decided by signatures. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex, no leading zeros. */
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly isCa: boolean;
  readonly commonNames: readonly string[];
  readonly organizations: readonly string[];
  readonly organizationalUnits: readonly string[];
  /** DNS names and URIs of the subject alternative name, without their type. */
  readonly subjectAlternativeNames: readonly string[];
}

/** A leaf as a workflow sees it: what it is, who signed it, and where its key rests. */
export interface LeafReference {
  readonly certificate: CertificateFacts;
  readonly issuedBy: Fingerprint;
  /** Keystore entry that holds certificate and key. */
  readonly entry: string;
  /** What Temporal documents for a leaf and this one leaves out, in words. */
  readonly warnings?: readonly string[];
}

export function isExpired(certificate: Pick<CertificateFacts, 'notAfter'>, now: Date): boolean {
  return Date.parse(certificate.notAfter) <= now.getTime();
}

export function isValidAt(certificate: Pick<CertificateFacts, 'notBefore' | 'notAfter'>, now: Date): boolean {
  return Date.parse(certificate.notBefore) <= now.getTime() && !isExpired(certificate, now);
}

/** Eight characters are enough for a person to tell two certificates apart in a line of output. */
export function short(fingerprint: Fingerprint): string {
  return fingerprint.slice(0, 8);
}
