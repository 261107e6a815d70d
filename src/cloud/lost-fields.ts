import { bytesField, contentOf, fieldsOf, messageOf, type Field } from './wire.js';

/** Messages inside NamespaceSpec, in which single fields may be lost: codec server, mTLS, API keys, lifecycle, HA, capacity, fairness. */
const messages = [4, 6, 7, 9, 10, 12, 14];
const mtlsAuth = 4;
/** Bundle and filters (in both forms): they are changed on purpose. */
const trust: readonly number[] = [1, 2, 4];

export interface RestoredSpec {
  readonly spec: Uint8Array;
  /** The fields that were put back, by their numbers: `16`, or `4.98` for one inside mtls_auth. Empty: none was lost. */
  readonly restored: readonly string[];
}

/**
 * `after` with every field put back that `before` had and `after` lacks altogether: what a program loses that writes a spec
 * back without knowing all of it. A field that has another value was changed, by somebody, and stays.
 */
export function withLostFields(before: Uint8Array, after: Uint8Array): RestoredSpec {
  const [had, has] = [fieldsOf(before), fieldsOf(after)];
  const lost = missing(had, has);
  const inner = messages.flatMap((number) => {
    const [hadContent, hasContent] = [contentOf(had, number), contentOf(has, number)];
    if (!hadContent || !hasContent) return [];
    const fields = missing(fieldsOf(hadContent), fieldsOf(hasContent));
    const lostInside = number === mtlsAuth ? fields.filter((field) => !trust.includes(field.number)) : fields;
    return lostInside.length > 0
      ? [{ number, content: messageOf([...fieldsOf(hasContent), ...lostInside]), lostInside }]
      : [];
  });
  const mended = has.map((field) => {
    const message = inner.find(({ number }) => number === field.number);
    return message ? bytesField(field.number, message.content) : field;
  });
  const names = [
    ...lost.map(({ number }) => `${number}`),
    ...inner.flatMap(({ number, lostInside }) => lostInside.map((field) => `${number}.${field.number}`)),
  ];
  return { spec: messageOf([...mended, ...lost]), restored: [...new Set(names)] };
}

function missing(before: readonly Field[], after: readonly Field[]): readonly Field[] {
  const present = new Set(after.map(({ number }) => number));
  return before.filter(({ number }) => !present.has(number));
}
