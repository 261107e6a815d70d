import { X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { parseDer, type Asn1 } from './der.js';

/** A certificate as node:crypto and node-forge read it. Not to be changed: others see the same objects. */
export interface Parsed {
  readonly x509: X509Certificate;
  /** RFC 5280 4.1. */
  readonly tbs: Asn1;
  readonly issuer: Asn1;
  readonly subject: Asn1;
  /** AlgorithmIdentifier of the signature. */
  readonly signature: Asn1;
}

/**
 * Reading is most of what checking a certificate costs, and each is asked many questions in a row. Remembered by the whole text, so
 * that no answer can be about another one.
 */
const remembered = new Map<string, Parsed>();
const mostRemembered = 64;

/** One PEM block. Throws what the parser throws. */
export function parsed(pem: string): Parsed {
  const text = pem.trim();
  const known = remembered.get(text);
  if (known) return known;
  const certificate = parse(text);
  remembered.set(text, certificate);
  if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value!);
  return certificate;
}

/** The version is optional and tagged [0]; then serial, signature, issuer, validity, subject. */
function parse(pem: string): Parsed {
  const x509 = new X509Certificate(pem);
  const [tbs, signature] = children(parseDer(x509.raw));
  const fields = children(tbs!);
  const first = fields[0]!.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC ? 1 : 0;
  return { x509, tbs: tbs!, issuer: fields[first + 2]!, subject: fields[first + 4]!, signature: signature! };
}

export function children(node: Asn1): Asn1[] {
  return node.value as Asn1[];
}
