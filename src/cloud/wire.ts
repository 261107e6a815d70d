import protobuf from 'protobufjs';

const { Reader, Writer } = protobuf;

/**
 * Protocol Buffers at the level of fields. The whole spec of a namespace is written back when its bundle changes, and it
 * may hold fields that the bundled protos do not know: splicing the bytes keeps every one of them, by construction
 * (protobuf.dev/programming-guides/encoding).
 */
export interface Field {
  readonly number: number;
  /** Tag and value, as they were. */
  readonly raw: Uint8Array;
  /** Content of a length-delimited field. */
  readonly content?: Uint8Array;
}

const lengthDelimited = 2;

export function fieldsOf(message: Uint8Array): readonly Field[] {
  const reader = Reader.create(message);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const wireType = tag & 7;
    const content = wireType === lengthDelimited ? reader.bytes() : undefined;
    if (!content) reader.skipType(wireType);
    fields.push({ number: tag >>> 3, raw: message.slice(start, reader.pos), ...(content && { content }) });
  }
  return fields;
}

export function bytesField(number: number, content: Uint8Array): Field {
  const raw = Writer.create()
    .uint32((number << 3) | lengthDelimited)
    .bytes(content)
    .finish();
  return { number, raw, content };
}

export function messageOf(fields: readonly Field[]): Uint8Array {
  return Buffer.concat(fields.map((field) => field.raw));
}

/** The content of the last field of that number: what a decoder would take (messages are not merged here). */
export function contentOf(fields: readonly Field[], number: number): Uint8Array | undefined {
  return fields.findLast((field) => field.number === number)?.content;
}
