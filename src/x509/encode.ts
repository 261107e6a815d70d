/**
 * The little DER (X.690) that certificates are written with. Every function returns one whole element: tag, length, contents.
 */
export type Der = Buffer;

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  contextSpecific: 0x80,
  constructed: 0x20,
} as const;

/** An element of any tag below 31, such as a string type that is not written here: its contents, one after the other. */
export function element(tag: number, ...contents: readonly Buffer[]): Der {
  const length = contents.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Buffer.concat([Buffer.of(tag, ...lengthOctets(length)), ...contents]);
}

/** Below 128 one octet; else how many octets follow, and those (X.690 8.1.3). */
function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const octetsOfIt: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) octetsOfIt.unshift(rest & 0xff);
  return [0x80 | octetsOfIt.length, ...octetsOfIt];
}

export const sequence = (...items: readonly Der[]): Der => element(tags.sequence, ...items);
export const set = (...items: readonly Der[]): Der => element(tags.set, ...items);
export const boolean = (value: boolean): Der => element(tags.boolean, Buffer.of(value ? 0xff : 0));
export const nullValue = (): Der => element(tags.null);
export const octets = (bytes: Buffer): Der => element(tags.octetString, bytes);
export const utf8 = (text: string): Der => element(tags.utf8String, Buffer.from(text));

/** An element with a tag of its own in place of its type's (implicit), or around whole elements (explicit). */
export const tagged = (tag: number, constructed: boolean, ...contents: readonly Buffer[]): Der =>
  element(tags.contextSpecific | (constructed ? tags.constructed : 0) | tag, ...contents);

/** `unused` low bits of the last byte do not count (X.690 8.6). */
export const bits = (bytes: Buffer, unused = 0): Der => element(tags.bitString, Buffer.of(unused), bytes);

/** A non-negative integer in minimal DER: Go refuses a serial whose top bit is set as negative (safety 1). */
export function integer(magnitude: Buffer): Der {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const minimal = magnitude.subarray(start);
  return minimal[0]! >= 0x80 ? element(tags.integer, Buffer.of(0), minimal) : element(tags.integer, minimal);
}

/** Object identifier from its dotted form: seven bits to an octet, the first two arcs in one number (X.690 8.19). */
export function oid(dotted: string): Der {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  return element(tags.oid, Buffer.from([first! * 40 + second!, ...rest].flatMap(sevenBitOctets)));
}

function sevenBitOctets(arc: number): readonly number[] {
  const groups = [arc & 0x7f];
  for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
  return groups;
}

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). Whole seconds. */
export function time(date: Date): Der {
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? element(tags.utcTime, Buffer.from(digits.slice(2)))
    : element(tags.generalizedTime, Buffer.from(digits));
}
