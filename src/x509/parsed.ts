import { X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { parseDer, type Asn1 } from './der.js';

/** A certificate as node:crypto and node-forge read it. Not to be changed: others see the same objects. */
export interface Parsed {
  readonly x509: X509Certificate;
  /** RFC 5280 4.1. */
  readonly serial: Asn1;
  readonly issuer: Asn1;
  readonly subject: Asn1;
  /** AlgorithmIdentifier of the signature. */
  readonly signature: Asn1;
  /** Each as often as it stands there. */
  readonly extensions: readonly Extension[];
}

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  /** Octet string around the DER of its value. */
  readonly octets: Asn1;
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
  const [serial, , issuer, , subject] = fields.slice(first);
  const extensions = extensionsIn(fields);
  return { x509, serial: serial!, issuer: issuer!, subject: subject!, signature: signature!, extensions };
}

function extensionsIn(fields: readonly Asn1[]): readonly Extension[] {
  const { Class, Type } = forge.asn1;
  const field = fields.find(({ tagClass, type }) => tagClass === Class.CONTEXT_SPECIFIC && Number(type) === 3);
  if (!field) return [];
  return children(children(field)[0]!).map((extension) => {
    const [id, flag] = children(extension);
    const critical = flag!.type === Type.BOOLEAN && flag!.value !== '\0';
    return { id: forge.asn1.derToOid(id!.value as string), critical, octets: children(extension).at(-1)! };
  });
}

export function children(node: Asn1): Asn1[] {
  return node.value as Asn1[];
}
