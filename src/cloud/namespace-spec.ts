import type { CertificateFacts } from '../domain/certificate.js';
import { sameFilter, type CertificateFilter } from '../domain/filters.js';
import { bytesField, contentOf, fieldsOf, messageOf, type Field } from './wire.js';

/** Field numbers of temporal.api.cloud.namespace.v1 (message.proto of cloud-api v0.17.0; unchanged up to v0.26.0). */
const specMtlsAuth = 4;
const mtls = { deprecatedBase64Ca: 1, filters: 2, enabled: 3, acceptedCa: 4 } as const;
const filterFields = ['commonName', 'organization', 'organizationalUnit', 'subjectAlternativeName'] as const;

/** What the spec says of trust, undecoded but for its place. */
export interface SpecTrust {
  /** PEM text of the accepted client CAs; empty when there are none. */
  readonly bundlePem: string;
  readonly filters: readonly CertificateFilter[];
  readonly enabled: boolean;
}

export function readTrust(spec: Uint8Array): SpecTrust {
  const auth = fieldsOf(contentOf(fieldsOf(spec), specMtlsAuth) ?? new Uint8Array());
  const bytes = contentOf(auth, mtls.acceptedCa);
  const base64 = contentOf(auth, mtls.deprecatedBase64Ca);
  const text = (content: Uint8Array) => Buffer.from(content).toString('utf8');
  return {
    bundlePem: bytes ? text(bytes) : base64 ? Buffer.from(text(base64), 'base64').toString('utf8') : '',
    filters: auth.filter(({ number }) => number === mtls.filters).map(({ content }) => readFilter(content!)),
    enabled: auth.some(({ number, raw }) => number === mtls.enabled && raw.at(-1) !== 0),
  };
}

/** The spec with another bundle and, where given, other filters; every other byte is kept. */
export function withTrust(
  spec: Uint8Array,
  {
    bundle,
    filters,
  }: { bundle: readonly Pick<CertificateFacts, 'pem'>[]; filters?: readonly CertificateFilter[] | undefined },
): Uint8Array {
  const fields = fieldsOf(spec);
  const auth = fieldsOf(contentOf(fields, specMtlsAuth) ?? new Uint8Array());
  const pem = Buffer.from(bundle.map((ca) => ca.pem).join(''));
  const replaced: number[] = [mtls.acceptedCa, mtls.deprecatedBase64Ca, ...(filters ? [mtls.filters] : [])];
  const hadBase64 = auth.some(({ number }) => number === mtls.deprecatedBase64Ca);
  const changed: Field[] = [
    ...auth.filter(({ number }) => !replaced.includes(number)),
    ...(filters ? filterFieldsOf(auth, filters) : []),
    bytesField(mtls.acceptedCa, pem),
    ...(hadBase64 ? [bytesField(mtls.deprecatedBase64Ca, Buffer.from(pem.toString('base64')))] : []),
  ];
  const others = fields.filter(({ number }) => number !== specMtlsAuth);
  return messageOf([...others, bytesField(specMtlsAuth, messageOf(changed))]);
}

/** Of those that are there already every byte is kept: a filter may have fields that nobody here knows, too. */
function filterFieldsOf(auth: readonly Field[], wanted: readonly CertificateFilter[]): readonly Field[] {
  const present = auth
    .filter(({ number }) => number === mtls.filters)
    .map((field) => ({ field, filter: readFilter(field.content!) }));
  const isIn = (all: readonly CertificateFilter[], one: CertificateFilter) =>
    all.some((other) => sameFilter(one, other));
  const staying = present.filter(({ filter }) => isIn(wanted, filter)).map(({ field }) => field);
  const there = present.map(({ filter }) => filter);
  const coming = wanted.filter((filter) => !isIn(there, filter));
  return [...staying, ...coming.map((filter) => bytesField(mtls.filters, writeFilter(filter)))];
}

/** Everything of the spec but bundle and filters, comparable: two specs with the same rest differ in nothing else. */
export function restOf(spec: Uint8Array): string {
  const fields = fieldsOf(spec);
  const auth = fieldsOf(contentOf(fields, specMtlsAuth) ?? new Uint8Array());
  const trust: number[] = [mtls.acceptedCa, mtls.deprecatedBase64Ca, mtls.filters];
  const rest = [
    ...fields.filter(({ number }) => number !== specMtlsAuth),
    ...auth.filter(({ number }) => !trust.includes(number)).map((field) => bytesField(specMtlsAuth, field.raw)),
  ];
  return rest
    .map(({ raw }) => Buffer.from(raw).toString('hex'))
    .sort()
    .join(',');
}

/** CertificateFilterSpec, decoded. */
export function readFilter(content: Uint8Array): CertificateFilter {
  const fields = fieldsOf(content);
  const values = filterFields.flatMap((name, index) => {
    const value = contentOf(fields, index + 1);
    return value && value.length > 0 ? [[name, Buffer.from(value).toString('utf8')]] : [];
  });
  return Object.fromEntries(values) as CertificateFilter;
}

function writeFilter(filter: CertificateFilter): Uint8Array {
  return messageOf(
    filterFields.flatMap((name, index) => (filter[name] ? [bytesField(index + 1, Buffer.from(filter[name]))] : [])),
  );
}
