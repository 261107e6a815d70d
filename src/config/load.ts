import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, isMap, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { checkRules } from './rules.js';
import { configSchema, type Config } from './schema.js';

export interface LoadedConfig {
  readonly config: Config;
  /** SHA-256 of the resolved configuration: two workers with different configurations are told apart by it. */
  readonly digest: string;
  readonly file: string;
}

export interface ConfigIssue {
  /** 1-based; 0 when the place is not in the file (a key that is missing altogether has its parent's place). */
  readonly line: number;
  readonly column: number;
  /** `targets.booking-worker.lifetime`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
  readonly fix: string;
}

/** The file cannot be used. Holds every problem at once, each with its place and its fix. */
export class ConfigurationError extends Error {
  readonly issues: readonly ConfigIssue[];

  constructor(file: string, issues: readonly ConfigIssue[]) {
    const lines = issues.map(
      ({ line, column, key, message, fix }) => `${file}:${line}:${column} ${key || '(file)'}: ${message}. ${fix}`,
    );
    super(lines.join('\n'));
    this.name = 'ConfigurationInvalid';
    this.issues = issues;
  }
}

/** Reads and validates the file. Relative paths in it are relative to its folder. Throws ConfigurationError. */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const path = resolve(file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigurationError(file, [
      {
        line: 0,
        column: 0,
        key: '',
        message: `cannot be read (${code})`,
        fix: 'Name the file with --config or CERT_ROTATION_CONFIG',
      },
    ]);
  }
  return { ...parseConfig(text, file, dirname(path)), file: path };
}

/** Validates YAML text; `folder` is what relative paths are relative to. */
export function parseConfig(text: string, file: string, folder: string): Pick<LoadedConfig, 'config' | 'digest'> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = placer(document, lines);
  if (document.errors.length > 0) {
    throw new ConfigurationError(
      file,
      document.errors.map((error) => ({
        line: error.linePos?.[0].line ?? 0,
        column: error.linePos?.[0].col ?? 0,
        key: '',
        message: error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
        fix: 'Mend the YAML',
      })),
    );
  }
  const parsed = configSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success)
    throw new ConfigurationError(
      file,
      parsed.error.issues.flatMap((issue) => schemaIssues(issue, at)),
    );
  const broken = checkRules(parsed.data);
  if (broken.length > 0) {
    throw new ConfigurationError(
      file,
      broken.map(({ path, message, fix }) => ({ ...at(path), key: path.join('.'), message, fix })),
    );
  }
  const config = withAbsolutePaths(parsed.data, folder);
  return { config, digest: createHash('sha256').update(JSON.stringify(config)).digest('hex') };
}

type Path = readonly PropertyKey[];
type Placer = (path: Path) => { line: number; column: number };

/** Position of the key at `path`, or of the nearest parent that is there. */
function placer(document: Document, lines: LineCounter): Placer {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const name = path[length - 1];
      if (isMap(parent)) {
        const pair = parent.items.find((item) => String((item.key as { value?: unknown }).value) === String(name));
        const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
        if (range) return position(range[0]);
      }
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
      if (node?.range) return position(node.range[0]);
    }
    return { line: 1, column: 1 };
  };
  function position(offset: number) {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  }
}

function schemaIssues(issue: z.core.$ZodIssue, at: Placer): ConfigIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { ...at(path), key: path.join('.'), message: 'unknown key', fix: 'Remove it, or mend its spelling' };
    });
  }
  const message = issue.message.replace(/^Invalid input: /, '');
  return [
    {
      ...at(issue.path),
      key: issue.path.join('.'),
      message,
      fix: 'See examples/rotation.schema.json for what this key takes',
    },
  ];
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string) => resolve(folder, path);
  const reference = <R extends object>(value: R): R =>
    'file' in value ? { ...value, file: absolute(value.file as string) } : value;
  const { temporal, cloud, keystore, kubernetes, namespaces, notifiers } = config;
  return {
    ...config,
    temporal: {
      ...temporal,
      ...(temporal.tls && {
        tls: {
          ...temporal.tls,
          certificateFile: absolute(temporal.tls.certificateFile),
          keyFile: absolute(temporal.tls.keyFile),
          ...(temporal.tls.serverRootsFile && { serverRootsFile: absolute(temporal.tls.serverRootsFile) }),
        },
      }),
    },
    cloud: {
      ...cloud,
      apiKey: reference(cloud.apiKey),
      ...(cloud.serverRootsFile && { serverRootsFile: absolute(cloud.serverRootsFile) }),
    },
    keystore: { ...keystore, ...(keystore.encryptionKey && { encryptionKey: reference(keystore.encryptionKey) }) },
    kubernetes: { ...kubernetes, ...(kubernetes.kubeconfig && { kubeconfig: absolute(kubernetes.kubeconfig) }) },
    namespaces: Object.fromEntries(
      Object.entries(namespaces).map(([name, namespace]) => [
        name,
        { ...namespace, ...(namespace.serverRootsFile && { serverRootsFile: absolute(namespace.serverRootsFile) }) },
      ]),
    ),
    notifiers: Object.fromEntries(
      Object.entries(notifiers).map(([name, notifier]) => [name, withAbsoluteFiles(notifier, absolute)]),
    ),
  };
}

/** Every `file` and `serverRootsFile` of a notifier, however deep its kind has them. */
function withAbsoluteFiles<T extends object>(value: T, absolute: (path: string) => string): T {
  const fields = Object.entries(value).map(([key, field]: [string, unknown]) => {
    if (typeof field === 'string' && (key === 'file' || key === 'serverRootsFile')) return [key, absolute(field)];
    if (typeof field !== 'object' || field === null || Array.isArray(field)) return [key, field];
    return [key, withAbsoluteFiles(field, absolute)];
  });
  return Object.fromEntries(fields) as T;
}
