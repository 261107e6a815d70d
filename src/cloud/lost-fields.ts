import { bytesField, contentOf, fieldsOf, messageOf, type Field } from './wire.js';

/** Fields of NamespaceSpec that tcld v0.55.0 knows, in its own words: one of them that is gone was taken away by somebody. */
const known: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13];
/** What it knows inside the messages among them: mTLS, codec server, API keys, lifecycle, high availability. */
const knownInside: readonly (readonly [message: number, fields: readonly number[]])[] = [
  [4, [1, 2, 3, 4]],
  [6, [1, 2, 3, 4]],
  [7, [1]],
  [9, [1]],
  [10, [1]],
];

/** Of a spec, only what tcld would drop: `withLostFields` needs nothing else of what was before. Empty: there is none. */
export function losableFields(spec: Uint8Array): Uint8Array {
  return messageOf(
    fieldsOf(spec).flatMap((field) => {
      const knownThere = knownInside.find(([message]) => message === field.number)?.[1];
      if (!knownThere || !field.content) return known.includes(field.number) ? [] : [field];
      const inside = missing(fieldsOf(field.content), [], knownThere);
      return inside.length > 0 ? [bytesField(field.number, messageOf(inside))] : [];
    }),
  );
}

export interface RestoredSpec {
  readonly spec: Uint8Array;
  /** The fields that were put back, by their numbers: `16`, or `4.98` for one inside mtls_auth. Empty: none was lost. */
  readonly restored: readonly string[];
}

/**
 * `after` with every field put back that `before` had, tcld does not know, and `after` lacks altogether. A field that has
 * another value was changed by somebody, and stays as it is.
 */
export function withLostFields(before: Uint8Array, after: Uint8Array): RestoredSpec {
  const [had, has] = [fieldsOf(before), fieldsOf(after)];
  const lost = missing(had, has, known);
  const inside = knownInside.flatMap(([message, knownThere]) => {
    const [hadThere, hasThere] = [contentOf(had, message), contentOf(has, message)];
    const lostThere = hadThere && hasThere ? missing(fieldsOf(hadThere), fieldsOf(hasThere), knownThere) : [];
    return lostThere.length > 0 ? [{ message, lostThere }] : [];
  });
  const mended = has.map((field) => {
    const lostThere = inside.find(({ message }) => message === field.number)?.lostThere ?? [];
    return lostThere.length > 0
      ? bytesField(field.number, messageOf([...fieldsOf(field.content!), ...lostThere]))
      : field;
  });
  const names = [
    ...lost.map(({ number }) => `${number}`),
    ...inside.flatMap(({ message, lostThere }) => lostThere.map(({ number }) => `${message}.${number}`)),
  ];
  return { spec: messageOf([...mended, ...lost]), restored: [...new Set(names)] };
}

function missing(before: readonly Field[], after: readonly Field[], apart: readonly number[]): readonly Field[] {
  const present = new Set([...apart, ...after.map(({ number }) => number)]);
  return before.filter(({ number }) => !present.has(number));
}
