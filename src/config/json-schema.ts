import { z } from 'zod';
import { durationPattern } from './fields.js';
import { configSchema } from './schema.js';

/** The part of JSON Schema (draft 7) that the configuration's schema uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** JSON Schema of the configuration file, for editors; generated into examples/rotation.schema.json. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'Configuration of cert-rotation', ...schema } as JsonSchema;
}

/**
 * The schema of what stands at `path` in `value`; undefined for an unknown key. Where the schema has alternatives on the way,
 * the one whose constants (`kind`) the value has is taken.
 */
export function schemaAt(path: readonly PropertyKey[], value: unknown): JsonSchema | undefined {
  return descend(configJsonSchema(), path, value);
}

function descend(schema: JsonSchema, path: readonly PropertyKey[], value: unknown): JsonSchema | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return schema;
  const inner = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  for (const { properties = {}, additionalProperties: additional, items } of alternativesOf(schema, value)) {
    const named = Object.hasOwn(properties, key) ? properties[String(key)] : additional;
    const next = typeof key === 'number' ? items : named;
    const found = typeof next === 'object' ? descend(next, rest, inner) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** The keys that the schema knows for `value`. */
export function keysOf(schema: JsonSchema, value: unknown): readonly string[] {
  return [...new Set(alternativesOf(schema, value).flatMap(({ properties = {} }) => Object.keys(properties)))];
}

function alternativesOf(schema: JsonSchema, value: unknown): readonly JsonSchema[] {
  const all = schema.anyOf ?? schema.oneOf;
  if (!all) return [schema];
  const fitting = all.filter(({ properties = {} }) =>
    Object.entries(properties).every(
      ([key, { const: constant }]) =>
        constant === undefined || (value as Record<string, unknown> | null | undefined)?.[key] === constant,
    ),
  );
  return (fitting.length > 0 ? fitting : all).flatMap((alternative) => alternativesOf(alternative, value));
}

/** By `format`, where the schema gives no example of its own. */
const formats: Readonly<Record<string, string>> = { uri: 'https://example.com/hook', email: 'ops@example.com' };

/** A value that the schema takes, to show to a person; undefined where it gives none. */
export function exampleOf(schema: JsonSchema): unknown {
  const { const: constant, examples, default: ambient, enum: values, type, format = '', pattern } = schema;
  if (constant !== undefined) return constant;
  if (examples) return examples[0];
  if (ambient !== undefined) return ambient;
  if (values) return values[0];
  const alternative = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (alternative) return exampleOf(alternative);
  if (pattern === durationPattern.source) return '24h';
  if (type === 'array') return [exampleOf(schema.items ?? {})].filter((item) => item !== undefined);
  return type === 'object' ? exampleObject(schema) : formats[format];
}

function exampleObject({ required = [], properties = {}, propertyNames, additionalProperties }: JsonSchema): object {
  const fields = required.map((key) => [key, exampleOf(properties[key] ?? {})] as const);
  if (propertyNames && typeof additionalProperties === 'object')
    fields.push([String(exampleOf(propertyNames)), exampleOf(additionalProperties)]);
  return Object.fromEntries(fields.filter(([, example]) => example !== undefined));
}
