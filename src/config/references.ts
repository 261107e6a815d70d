import { readFile } from 'node:fs/promises';
import { RotationError } from '../domain/failures.js';
import type { SecretReference } from './fields.js';

/** The secret's value, without a trailing newline. Throws `ReferenceUnreadable`, which names the place, never the value. */
export async function resolveSecret(reference: SecretReference): Promise<string> {
  const value = 'env' in reference ? process.env[reference.env] : await readSecretFile(reference.file);
  const trimmed = value?.replace(/\r?\n$/, '');
  if (!trimmed) {
    const place = 'env' in reference ? `environment variable ${reference.env}` : `file ${reference.file}`;
    throw new RotationError('ReferenceUnreadable', `The ${place} is missing or empty.`);
  }
  return trimmed;
}

async function readSecretFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new RotationError(
      'ReferenceUnreadable',
      `The file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}
