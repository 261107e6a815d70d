import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { withAbsolutePaths } from './absolute-paths.js';
import { schemaIssues, wholeFile, type ConfigIssue } from './issues.js';
import { placer, type Placer } from './places.js';
import { checkRules } from './rules.js';
import { configSchema, type Config } from './schema.js';

export interface LoadedConfig {
  readonly config: Config;
  /** SHA-256 of the resolved configuration: two workers with different configurations are told apart by it. */
  readonly digest: string;
  readonly file: string;
}

/** The file cannot be used. Holds every problem at once, in the order of the file, each with its place and its fix. */
export class ConfigurationError extends Error {
  readonly issues: readonly ConfigIssue[];

  constructor(file: string, issues: readonly ConfigIssue[]) {
    super(issueLines(file, issues));
    this.name = 'ConfigurationInvalid';
    this.issues = inOrder(issues);
  }
}

/** One per line, in the order of the file. */
export function issueLines(file: string, issues: readonly ConfigIssue[]): string {
  return inOrder(issues)
    .map((issue) => lineOf(file, issue))
    .join('\n');
}

function inOrder(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  return issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function lineOf(file: string, { line, column, key, message, fix }: ConfigIssue): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place}: ${key && `${key}: `}${message}. ${fix}${/[.?]$/.test(fix) ? '' : '.'}`;
}

/** Reads and validates the file. Relative paths in it are relative to its folder. Throws ConfigurationError. */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  const { config, digest } = parseConfig(await readConfig(file), file, dirname(resolve(file)));
  return { config, digest, file: resolve(file) };
}

/** The text of the file. Throws ConfigurationError. */
export async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    const message = readProblems[code] ?? `cannot be read (${code})`;
    throw new ConfigurationError(file, [
      { line: 0, column: 0, key: '', message, fix: 'Name the file with --config or CERT_ROTATION_CONFIG' },
    ]);
  }
}

const readProblems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be read by this user',
};

export interface ParsedConfig extends Pick<LoadedConfig, 'config' | 'digest'> {
  readonly at: Placer;
}

/** Validates YAML text; `folder` is what relative paths are relative to. Throws nothing but ConfigurationError. */
export function parseConfig(text: string, file: string, folder: string): ParsedConfig {
  const { value, at } = parseYaml(text, file);
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw new ConfigurationError(file, schemaIssues(parsed.error.issues, value, at));
  const named = withNamedOnly(parsed.data);
  const broken = checkRules(named);
  if (broken.length > 0) {
    throw new ConfigurationError(
      file,
      broken.map(({ path, message, fix }) => ({ ...at(path), key: path.join('.'), message, fix })),
    );
  }
  const config = withNamedOnly(withAbsolutePaths(named, folder));
  return { config, digest: createHash('sha256').update(JSON.stringify(config)).digest('hex'), at };
}

/** Looking up a name that somebody sent, such as `constructor`, finds what the file names and nothing that every object has. */
function withNamedOnly(config: Config): Config {
  const { namespaces, authorities, targets, notifiers } = config;
  const only = <T extends object>(record: T): T => Object.assign(Object.create(null) as T, record);
  return {
    ...config,
    namespaces: only(namespaces),
    authorities: only(authorities),
    targets: only(targets),
    notifiers: only(notifiers),
  };
}

function parseYaml(text: string, file: string): { value: unknown; at: Placer } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: 'silent' });
  if (document.errors.length > 0) throw new ConfigurationError(file, yamlIssues(document.errors));
  if (document.contents === null) throw new ConfigurationError(file, [wholeFile('the file is empty')]);
  try {
    return { value: document.toJS(), at: placer(document, lines) };
  } catch (error) {
    // An alias without its anchor, or aliases of aliases that would fill the memory.
    const message = `its aliases cannot be resolved (${(error as Error).message})`;
    throw new ConfigurationError(file, [wholeFile(message, 'Write the values out instead of aliases')]);
  }
}

/** One per line: a slip often shows in several ways. */
function yamlIssues(errors: readonly YAMLError[]): readonly ConfigIssue[] {
  const byLine = new Map<number, ConfigIssue>();
  for (const { linePos, message } of errors) {
    const { line, col } = linePos?.[0] ?? { line: 1, col: 1 };
    if (!byLine.has(line)) byLine.set(line, { line, column: col, key: '', ...yamlProblem(message) });
  }
  return [...byLine.values()];
}

function yamlProblem(message: string): Pick<ConfigIssue, 'message' | 'fix'> {
  const problem = message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
  if (problem.startsWith('Map keys must be unique'))
    return { message: 'this key is there twice', fix: 'Remove one of the two' };
  return {
    message: `not valid YAML: ${problem.replace(/\.$/, '')}`,
    fix: 'Check indentation, quotes and brackets here and on the line above',
  };
}
