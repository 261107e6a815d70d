import type { KeyPair } from '../x509/pair.js';

/**
 * Port: who makes certificates. An issuer keeps nothing: it is handed the CA pair it signs with and returns new pairs;
 * the activity that calls it stores them in the keystore before it returns. Implementations throw only RotationErrors, and
 * then nothing was used: `IssuedCertificateInvalid` (what was made breaks a rule of safety 1 and 2), `IssuerUnable` (it
 * cannot make what is asked for), `CaTooYoung`, and where a program is run those of programs (`ToolMissing` and the like).
 */
export interface Issuer {
  /** A self-signed CA with a new key. Its subject gets a suffix that is unique per generation. */
  createCa(request: CaRequest): Promise<Issued>;
  /** A leaf with a new key, signed by `ca`. Never outlives the CA, never starts before it. */
  issueLeaf(ca: KeyPair, request: LeafRequest): Promise<Issued>;
}

export interface Issued extends KeyPair {
  /** What Temporal documents for such a certificate and this one leaves out, in words; empty when nothing. */
  readonly warnings: readonly string[];
}

export type KeyAlgorithm = 'P-256' | 'P-384' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096';

/** Distinguished name attributes; all values UTF-8, CN at most 64 characters. */
export interface Subject {
  readonly commonName?: string | undefined;
  readonly organization?: string | undefined;
  readonly organizationalUnit?: string | undefined;
}

export interface CaRequest {
  readonly subject: Subject;
  readonly algorithm: KeyAlgorithm;
  /** 1 for the first CA of the authority; part of the subject, so that no two generations share one. */
  readonly generation: number;
  readonly lifetimeMs: number;
  /** Issuers that run a program go by the machine's clock, because the program does. */
  readonly now: Date;
}

export interface LeafRequest {
  readonly subject: Subject;
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly algorithm: KeyAlgorithm;
  readonly lifetimeMs: number;
  readonly now: Date;
}
