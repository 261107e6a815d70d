import type { SecretObject } from './pod-objects.js';

interface Version {
  readonly secret: SecretObject;
  readonly seenAt: number;
}

/** What the node knows of Secrets: each as it is now, or, with a late cache, as it was `lateMs` ago. */
export class SecretCache {
  /** A fault: so late the node learns of what happened to a Secret, and gives even a new pod the old one. */
  lateMs = 0;
  readonly #versions = new Map<string, Version[]>();

  see(secrets: readonly SecretObject[]): void {
    const now = Date.now();
    for (const secret of secrets) {
      const key = `${secret.metadata!.namespace}/${secret.metadata!.name}`;
      const versions = this.#versions.get(key) ?? [];
      const isNew = versions.at(-1)?.secret.metadata?.resourceVersion !== secret.metadata!.resourceVersion;
      if (isNew) this.#versions.set(key, [...versions, { secret, seenAt: now }]);
    }
  }

  /** Undefined for a Secret that the node does not know (yet): the pod waits. */
  get(namespace: string, name: string): SecretObject | undefined {
    const asOf = Date.now() - this.lateMs;
    return this.#versions.get(`${namespace}/${name}`)?.findLast(({ seenAt }) => seenAt <= asOf)?.secret;
  }
}
