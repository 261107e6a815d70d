import { isIP } from 'node:net';
import forge from 'node-forge';
import type { CertificateFacts } from '../domain/certificate.js';
import { oids, type Asn1 } from './der.js';
import { children } from './parsed.js';
import { extensionOf } from './read.js';

/**
 * Names and name constraints (RFC 5280 4.2.1.6 and 4.2.1.10) as Go's crypto/x509 has them. It differs from OpenSSL: the common
 * name does not count, a URI's constraint is a domain with all below it, and an excluded name excludes the wildcard that covers it.
 */
export interface GeneralName {
  /** `other`: of a kind that Go has no word for. */
  readonly kind: 'dns' | 'email' | 'uri' | 'ip' | 'other';
  /** Of an IP address the octets, latin1; of an IP constraint address and mask. */
  readonly value: string;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

const kinds: Readonly<Record<number, GeneralName['kind']>> = { 1: 'email', 2: 'dns', 6: 'uri', 7: 'ip' };

/** The alternative names; undefined without the extension. Throws an Error where Go does not read them. */
export function generalNamesOf(certificate: CertificateFacts): readonly GeneralName[] | undefined {
  const extension = extensionOf(certificate, oids.subjectAltName);
  const names = extension && children(extension).map(generalName);
  names?.forEach(refuseMalformedName);
  return names;
}

/** Undefined without the extension. Throws an Error where Go does not read it. */
export function nameConstraintsOf(certificate: CertificateFacts): NameConstraints | undefined {
  const extension = extensionOf(certificate, oids.nameConstraints);
  if (!extension) return undefined;
  const subtrees = (tag: number) =>
    children(extension)
      .filter(({ type }) => Number(type) === tag)
      .flatMap(children)
      .map((subtree) => generalName(children(subtree)[0]!));
  const constraints = { permitted: subtrees(0), excluded: subtrees(1) };
  const all = [...constraints.permitted, ...constraints.excluded];
  if (all.length === 0) throw new Error('has name constraints that name nothing');
  all.forEach(refuseMalformedConstraint);
  return constraints;
}

/** Of a chain from leaf to root: why a name of one of them is not allowed by those above it; undefined when all are. */
export function nameRefusal(chain: readonly CertificateFacts[]): string | undefined {
  for (const [index, certificate] of chain.entries()) {
    const names = generalNamesOf(certificate) ?? [];
    for (const above of chain.slice(index + 1)) {
      const constraints = nameConstraintsOf(above);
      const refusals = constraints ? names.map((name) => refusalOf(name, constraints)) : [];
      const why = refusals.find((one) => one !== undefined);
      if (why) return `${why} by the name constraints of ${above.subject}`;
    }
  }
  return undefined;
}

function generalName({ tagClass, type, value }: Asn1): GeneralName {
  const kind = tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && typeof value === 'string' && kinds[Number(type)];
  return kind ? { kind, value } : { kind: 'other', value: '' };
}

function refuseMalformedName({ kind, value }: GeneralName): void {
  if (kind === 'ip' ? ![4, 16].includes(value.length) : /[^\0-\x7f]/.test(value)) throw malformed(kind);
  const host = kind === 'uri' ? hostOf(value) : '';
  if (host === undefined || !isDomain(host)) throw malformed(kind);
}

const malformed = (kind: string) => new Error(`has a malformed alternative name (${kind})`);

function refuseMalformedConstraint({ kind, value }: GeneralName): void {
  const good =
    kind === 'other' ||
    (kind === 'ip' ? isSubnet(value) : kind === 'email' && value.includes('@') ? isMailbox(value) : isBase(value));
  if (!good || (kind === 'uri' && isIP(value) !== 0)) throw new Error(`has a malformed name constraint (${kind})`);
}

/** Why not, to be followed by whose constraints these are. Whatever is constrained, each name must be one that can be judged. */
function refusalOf(name: GeneralName, { permitted, excluded }: NameConstraints): string | undefined {
  const { kind, value } = name;
  if (kind === 'other') return undefined;
  const shown = `the ${words[kind]} ${kind === 'ip' ? [...Buffer.from(value, 'latin1')].join('.') : value}`;
  const compared = comparable(name);
  if (compared === undefined) return `${shown} cannot be judged`;
  const [allowed, denied] = [permitted, excluded].map((all) => all.filter((base) => base.kind === kind));
  if (allowed!.length > 0 && !allowed!.some((base) => covers(base, compared))) return `${shown} is not permitted`;
  return denied!.some((base) => covers(base, compared) || isCoveredBy(base, compared))
    ? `${shown} is excluded`
    : undefined;
}

const words = { dns: 'DNS name', email: 'email address', uri: 'URI', ip: 'IP address' } as const;

/** What the constraints of its kind are compared with; undefined where Go refuses to compare. */
function comparable({ kind, value }: GeneralName): string | undefined {
  if (kind === 'email') return isMailbox(value) ? value : undefined;
  if (kind === 'dns') return isDomain(value) ? value : undefined;
  if (kind === 'ip') return value;
  const host = hostOf(value);
  return host === undefined || host === '' || host.startsWith('[') || isIP(host) !== 0 ? undefined : host;
}

function covers({ kind, value: base }: GeneralName, name: string): boolean {
  if (kind === 'ip') return contains(base, name);
  if (kind !== 'email') return isWithin(base, name);
  const [local, domain] = mailbox(name);
  if (!base.includes('@')) return isWithin(base, domain);
  const [wantedLocal, wantedDomain] = mailbox(base);
  return local === wantedLocal && domain.toLowerCase() === wantedDomain.toLowerCase();
}

/** `example.com` covers itself and what is below it, `.example.com` only that, nothing at all covers everything. */
function isWithin(base: string, name: string): boolean {
  const [wanted, given] = [base.toLowerCase(), name.toLowerCase()];
  return wanted === '' || given === wanted || given.endsWith(wanted.startsWith('.') ? wanted : `.${wanted}`);
}

/** A wildcard that stands for the base, among others: `*.example.com` for `a.example.com`. */
function isCoveredBy({ kind, value: base }: GeneralName, name: string): boolean {
  const below = (text: string) => (text.includes('.') ? text.slice(text.indexOf('.')).toLowerCase() : undefined);
  const domain = kind === 'email' ? mailbox(name)[1] : name;
  const isDomainBase = kind !== 'ip' && !base.includes('@');
  return isDomainBase && domain.startsWith('*') && below(base) !== undefined && below(base) === below(domain);
}

function contains(subnet: string, address: string): boolean {
  const [bytes, octets] = [Buffer.from(subnet, 'latin1'), Buffer.from(address, 'latin1')];
  if (bytes.length !== 2 * octets.length) return false;
  return octets.every((octet, at) => {
    const mask = bytes[octets.length + at]!;
    return (octet & mask) === (bytes[at]! & mask);
  });
}

/** Ones first, then zeros. */
function isSubnet(value: string): boolean {
  if (![8, 32].includes(value.length)) return false;
  const mask = Buffer.from(value.slice(value.length / 2), 'latin1');
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits);
}

const isBase = (value: string) => isDomain(value.startsWith('.') && value.length > 1 ? value.slice(1) : value);

/** Labels of printable characters; nothing at all counts. */
const isDomain = (value: string) =>
  value === '' || (/^[!-~]+$/.test(value) && value.split('.').every((label) => label !== ''));

/** The quoted form is not read. */
const isMailbox = (value: string) => {
  const [local, domain] = mailbox(value);
  const atom = "[\\w!#$%&'*+/=?^`{|}~-]+";
  return value.includes('@') && new RegExp(`^${atom}(\\.${atom})*$`).test(local) && isDomain(domain);
};

const mailbox = (value: string): [local: string, domain: string] => {
  const at = value.indexOf('@');
  return [value.slice(0, Math.max(at, 0)), value.slice(at + 1)];
};

/** Without its port; empty where there is none. Undefined where Go's net/url does not read the URI. */
function hostOf(uri: string): string | undefined {
  if (/\p{Cc}|%(?![0-9a-f]{2})/iu.test(uri)) return undefined;
  const authority = /^(?:[a-z][a-z0-9+.-]*:)?\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(uri)?.[1] ?? '';
  return /^(\[[^[\]]*\]|[^:[\]]*)(?::\d*)?$/.exec(authority)?.[1]?.toLowerCase();
}
