import { stringify } from 'yaml';
import type { z } from 'zod';
import { exampleOf, keysOf, schemaAt } from './json-schema.js';
import type { Path, Placer } from './places.js';

export interface ConfigIssue {
  /** 1-based; 0 when the place is not in the file. A key that is missing has its parent's place. */
  readonly line: number;
  readonly column: number;
  /** `targets.booking-worker.lifetime`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
  /** What to do, as a sentence without its full stop. */
  readonly fix: string;
}

/** What is wrong at one place, in words. */
interface Problem {
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
}

type Issue = z.core.$ZodIssue;

const startFrom = 'Start from examples/temporal-booking/rotation.yaml';

/** The file as a whole cannot be a configuration. */
export const wholeFile = (message: string, fix = startFrom): ConfigIssue => ({
  line: 1,
  column: 1,
  key: '',
  message,
  fix,
});

/**
 * The schema's refusals of `value`, with their places and with fixes that can be typed. They repeat no value: somebody may
 * have written a secret where its reference belongs.
 */
export function schemaIssues(issues: readonly Issue[], value: unknown, at: Placer): readonly ConfigIssue[] {
  const explain = new Explanation(value);
  return issues
    .flatMap((issue) => explain.problemsOf(issue))
    .map(({ path, message, fix }) => ({ ...at(path), key: path.join('.'), message, fix }));
}

class Explanation {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  problemsOf(issue: Issue): readonly Problem[] {
    const { path } = issue;
    if (path.length > 0 && this.#at(path) === undefined && issue.code !== 'custom')
      return [{ path, message: 'missing', fix: this.#withExample('Add it', path) }];
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => this.#unknownKey(path, key));
      case 'invalid_type':
        return [this.#wrongType(path, issue.expected)];
      case 'invalid_value':
        return [oneOf(path, issue.values)];
      case 'invalid_union':
        return this.#alternatives(issue);
      case 'invalid_key':
      case 'invalid_element':
        return issue.issues.map((nested) => ({ path, ...inWords(nested.message) }));
      case 'too_small':
        return [{ path, ...this.#tooLittle(path, issue) }];
      case 'too_big':
        return [{ path, message: tooMuch(issue.origin), fix: `Give at most ${issue.maximum}${unitOf(issue.origin)}` }];
      case 'custom':
      case 'invalid_format':
      case 'not_multiple_of':
        return [{ path, ...inWords(issue.message) }];
    }
  }

  #at(path: Path): unknown {
    return path.reduce((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], this.#value);
  }

  #unknownKey(parent: Path, key: string): Problem {
    const schema = schemaAt(parent, this.#value);
    const known = schema ? keysOf(schema, this.#at(parent)) : [];
    const path = [...parent, key];
    if (known.includes(key)) return { path, message: 'one key too many', fix: `Give only one of: ${known.join(', ')}` };
    const meant = known.find((other) => distance(other.toLowerCase(), key.toLowerCase()) <= 2);
    const fix = meant ? `Did you mean "${meant}"?` : `Remove it. Known here: ${known.join(', ')}`;
    return { path, message: 'unknown key', fix };
  }

  #wrongType(path: Path, expected: string): Problem {
    const found = this.#at(path);
    const message = `must be ${typeNames[expected] ?? expected}, not ${nameOf(found)}`;
    if (path.length === 0) return { path, message, fix: startFrom };
    const quoted = expected === 'string' && ['number', 'boolean'].includes(typeof found);
    return { path, message, fix: this.#withExample(quoted ? 'Put it in quotes, or write a text' : 'Change it', path) };
  }

  /** Of several alternatives, the one that the value comes nearest to; the words that the others take are named. */
  #alternatives(issue: z.core.$ZodIssueInvalidUnion): readonly Problem[] {
    const { path } = issue;
    if ('options' in issue && issue.options) return [oneOf(path, [...(issue.options as unknown[])])];
    const fitting = issue.errors.filter((errors) => !errors.some(isOfAnotherKind));
    const [nearest] = fitting.toSorted((a, b) => a.length - b.length);
    if (!nearest) return [{ path, message: notTaken, fix: this.#withExample('Change it', path) }];
    const words = issue.errors.flat().flatMap((error) => (error.code === 'invalid_value' ? error.values : []));
    const also = words.length > 0 ? `, or: ${words.map(String).join(', ')}` : '';
    return nearest
      .flatMap((error) => this.problemsOf({ ...error, path: [...path, ...error.path] }))
      .map((problem) => (problem.path.length === path.length ? { ...problem, fix: `${problem.fix}${also}` } : problem));
  }

  #tooLittle(path: Path, { origin, minimum }: z.core.$ZodIssueTooSmall): Pick<Problem, 'message' | 'fix'> {
    if (origin === 'array') return { message: 'empty', fix: this.#withExample('Give at least one entry', path) };
    if (origin === 'string') return { message: 'empty', fix: this.#withExample('Write a text', path) };
    return { message: 'too small', fix: `Give at least ${minimum}` };
  }

  #withExample(what: string, path: Path): string {
    const schema = schemaAt(path, this.#value);
    const example = schema && exampleOf(schema);
    if (example !== undefined) return `${what}, for example ${shown(path.at(-1), example)}`;
    return `${what}${schema?.description ? `. ${schema.description.replace(/\.$/, '')}` : ''}`;
  }
}

/** Refusals of our own are written `what is wrong: what to do`. */
function inWords(text: string): Pick<Problem, 'message' | 'fix'> {
  const [message, ...fix] = text.split(': ');
  return { message: message!, fix: capitalised(fix.join(': ') || 'Write it in another way') };
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of names to values',
};

function nameOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeNames[typeof value] ?? typeof value;
}

const notTaken = 'not a value that this key takes';

function oneOf(path: Path, values: readonly unknown[]): Problem {
  const list = values.map(String).join(', ');
  const fix = values.length === 1 ? `Write ${String(path.at(-1))}: ${list}` : `Use one of: ${list}`;
  return { path, message: notTaken, fix };
}

function isOfAnotherKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

const tooMuch = (origin: string): string =>
  origin === 'string' ? 'too long' : origin === 'array' ? 'too many' : 'too big';

const unitOf = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '');

/** YAML on one line, with its key where it has one. */
function shown(key: PropertyKey | undefined, value: unknown): string {
  const whole = typeof key === 'string' ? { [key]: value } : { value };
  const text = stringify(whole, { collectionStyle: 'flow', flowCollectionPadding: true, lineWidth: 0 }).trim();
  return text.replace(/^\{ (.*) \}$/s, '$1').replace(typeof key === 'string' ? '' : /^value: /, '');
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Levenshtein distance, by the usual table of two rows. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
