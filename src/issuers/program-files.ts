import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { commandFailure, runCommand, type Command } from '../command.js';
import type { CertificateFacts } from '../domain/certificate.js';
import { RotationError } from '../domain/failures.js';
import type { KeyPair } from '../x509/pair.js';
import { openPrivateKey } from '../x509/private-key.js';
import { readCertificate } from '../x509/read.js';

/** Making an RSA-4096 key takes seconds; on a busy machine, many. */
const deadlineMs = 120_000;

/** Runs one command of a program that makes certificates. Throws RotationError. */
export async function runIssuer(what: string, command: Omit<Command, 'deadlineMs'>): Promise<void> {
  try {
    await runCommand({ ...command, deadlineMs });
  } catch (error) {
    throw commandFailure(what, error);
  }
}

/** The pair that a program wrote. Whatever it said and however it ended: only what is in the files counts. */
export async function readMade(
  program: string,
  files: { readonly certificate: string; readonly key: string },
  passphrase?: string,
): Promise<KeyPair> {
  return {
    certificate: await reading(program, files.certificate, readCertificate),
    key: await reading(program, files.key, (pem) => openPrivateKey(pem, passphrase)),
  };
}

async function reading<T>(program: string, file: string, read: (pem: string) => T): Promise<T> {
  try {
    return read(await readFile(file, 'utf8'));
  } catch {
    // The reason may hold what the file does.
    throw new RotationError('ToolAnswerUnknown', `${program} left nothing readable in ${basename(file)}.`);
  }
}

/** Only its owner can read it; certstrap wants even the owner not to write a key. */
export const writeForProgram = (file: string, text: string): Promise<void> => writeFile(file, text, { mode: 0o400 });

/**
 * The seconds that a leaf lives: what is asked for, but not longer than its CA. Programs count from when they run, a
 * little later than now. Throws `CaTooYoung` when the leaf would begin before the CA.
 */
export function leafSeconds(ca: CertificateFacts, lifetimeMs: number, backdateMs: number): number {
  const ready = Date.parse(ca.notBefore) + backdateMs;
  if (Date.now() < ready)
    throw new RotationError('CaTooYoung', `CA ${ca.subject} can sign from ${new Date(ready).toISOString()} on.`);
  const left = Date.parse(ca.notAfter) - Date.now() - deadlineMs;
  if (left < 1000) throw new RotationError('IssuerUnable', `CA ${ca.subject} expires within minutes.`);
  return Math.floor(Math.min(lifetimeMs, left) / 1000);
}
