import { readFilter, readTrust, withTrust } from '../../cloud/namespace-spec.js';
import { bytesField, contentOf, fieldsOf, messageOf, type Field } from '../../cloud/wire.js';

/**
 * The spec of a namespace as tcld's older service has it, and back. Its field numbers are published nowhere: they are those of
 * the descriptors inside tcld v0.55.0.
 */
const tcld = { acceptedCa: 2, searchAttributes: 4, filters: 5, authMethod: 13 } as const;
const cloud = { name: 1, regions: 2, mtlsAuth: 4, apiKeyAuth: 7, searchAttributes: 8, replicas: 13 } as const;
/** Fields that both have under another number, with the same content: retention, codec server, lifecycle, HA, connectivity rules. */
const shared: readonly (readonly [cloud: number, tcld: number])[] = [
  [3, 3],
  [6, 8],
  [9, 15],
  [10, 16],
  [11, 18],
];
const mtlsEnabled = 3;
const authMethods = { mtls: 2, apiKey: 3, apiKeyOrMtls: 4 } as const;

export function toTcldSpec(spec: Uint8Array): Uint8Array {
  const fields = fieldsOf(spec);
  const { bundlePem, enabled } = readTrust(spec);
  const filters = fieldsOf(contentOf(fields, cloud.mtlsAuth) ?? new Uint8Array()).filter(({ number }) => number === 2);
  const apiKey = contentOf(fields, cloud.apiKeyAuth) !== undefined;
  const method = enabled ? (apiKey ? authMethods.apiKeyOrMtls : authMethods.mtls) : authMethods.apiKey;
  return messageOf([
    ...(bundlePem ? [bytesField(tcld.acceptedCa, Buffer.from(Buffer.from(bundlePem).toString('base64')))] : []),
    ...filters.map(({ content }) => bytesField(tcld.filters, content!)),
    ...renumbered(fields, shared),
    ...searchAttributes(fields, cloud.searchAttributes, tcld.searchAttributes),
    enumField(tcld.authMethod, method),
  ]);
}

/**
 * The spec that a write through the older service makes of `current`. Name, regions and authentication methods are not
 * changed by it; of what it has no word for, only `keepsFields` keeps anything.
 */
export function fromTcldSpec(
  written: Uint8Array,
  current: Uint8Array,
  { keepsFields }: { keepsFields: boolean },
): Uint8Array {
  const fields = fieldsOf(written);
  const base64 = Buffer.from(contentOf(fields, tcld.acceptedCa) ?? []).toString();
  const pem = Buffer.from(base64, 'base64').toString();
  const filters = fields.filter(({ number }) => number === tcld.filters).map(({ content }) => readFilter(content!));
  const spec = messageOf([
    ...keptOf(current, keepsFields),
    ...renumbered(
      fields,
      shared.map(([to, from]) => [from, to]),
    ),
    ...searchAttributes(fields, tcld.searchAttributes, cloud.searchAttributes),
  ]);
  return withTrust(spec, { bundle: [{ pem }], filters });
}

function keptOf(current: Uint8Array, keepsFields: boolean): Field[] {
  const known = new Set<number>([...shared.map(([number]) => number), cloud.searchAttributes]);
  if (keepsFields) return fieldsOf(current).filter(({ number }) => !known.has(number));
  const untouched = new Set<number>([cloud.name, cloud.regions, cloud.replicas, cloud.apiKeyAuth]);
  const auth = fieldsOf(contentOf(fieldsOf(current), cloud.mtlsAuth) ?? new Uint8Array());
  return [
    ...fieldsOf(current).filter(({ number }) => untouched.has(number)),
    bytesField(cloud.mtlsAuth, messageOf(auth.filter(({ number }) => number === mtlsEnabled))),
  ];
}

function renumbered(fields: readonly Field[], numbers: readonly (readonly [from: number, to: number])[]): Field[] {
  const targets = new Map(numbers);
  return fields.flatMap((field) => {
    const number = targets.get(field.number);
    if (number === undefined) return [];
    return number === field.number ? [field] : [bytesField(number, field.content!)];
  });
}

/** Entries of the map; its values are another enum, in which Keyword and Text change places. */
function searchAttributes(fields: readonly Field[], from: number, to: number): Field[] {
  const other = (value: number) => (value === 1 ? 2 : value === 2 ? 1 : value);
  return fields
    .filter(({ number }) => number === from)
    .map(({ content }) => {
      const [key, type] = [1, 2].map((number) => fieldsOf(content!).find((field) => field.number === number));
      return bytesField(to, messageOf([key!, enumField(2, other(type?.raw.at(-1) ?? 0))]));
    });
}

/** A varint field whose value is below 128. */
function enumField(number: number, value: number): Field {
  return { number, raw: Uint8Array.from([number << 3, value]) };
}
