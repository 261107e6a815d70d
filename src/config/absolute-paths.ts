import { resolve } from 'node:path';

const fileKeys = new Set(['file', 'certificateFile', 'keyFile', 'serverRootsFile', 'kubeconfig']);

/** The paths of files made absolute, wherever they stand in `value`; relative ones are relative to `folder`. */
export function withAbsolutePaths<T>(value: T, folder: string): T {
  if (Array.isArray(value)) return value.map((item: unknown) => withAbsolutePaths(item, folder)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, field]: [string, unknown]) => [
    key,
    typeof field === 'string' && fileKeys.has(key) ? resolve(folder, field) : withAbsolutePaths(field, folder),
  ]);
  return Object.fromEntries(fields) as T;
}

interface FileOf {
  /** Keys that lead to it. */
  readonly path: readonly string[];
  readonly file: string;
}

/** The paths of files in `value`. */
export function filesOf(value: unknown, path: readonly string[] = []): readonly FileOf[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, field]: [string, unknown]) =>
    typeof field === 'string' && fileKeys.has(key)
      ? [{ path: [...path, key], file: field }]
      : filesOf(field, [...path, key]),
  );
}
