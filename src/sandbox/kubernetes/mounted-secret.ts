import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretObject } from './pod-objects.js';

/**
 * A Secret mounted as files, as a kubelet does it: the files lie in a folder of their own, `..data` points to it, and each
 * key is a link through `..data`, so that all keys change at once.
 */
export class MountedSecret {
  readonly path: string;
  #version: string | undefined;
  #generation = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Writes the Secret if its version is a new one. */
  async sync(secret: SecretObject): Promise<void> {
    const version = secret.metadata?.resourceVersion;
    if (version === this.#version) return;
    const previous = `..data-${this.#generation}`;
    this.#generation += 1;
    const folder = `..data-${this.#generation}`;
    await mkdir(join(this.path, folder), { recursive: true, mode: 0o700 });
    for (const [key, value] of Object.entries(secret.data ?? {})) {
      await writeFile(join(this.path, folder, key), Buffer.from(value, 'base64'), { mode: 0o600 });
      await symlink(join('..data', key), join(this.path, key)).catch(() => undefined);
    }
    await symlink(folder, join(this.path, '..data.new'));
    await rename(join(this.path, '..data.new'), join(this.path, '..data'));
    await rm(join(this.path, previous), { recursive: true, force: true });
    this.#version = version;
  }
}
