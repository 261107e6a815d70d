import { isOfPod } from './pollers.js';

/** Somebody who was seen to use a namespace, in histories or as a poller of a task queue that no target names (safety 13). */
export interface SeenClient {
  /** As it calls itself. */
  readonly identity: string;
  readonly namespace: string;
  /** In words: `starts workflows`. */
  readonly does: string;
  /** When it did so last (RFC 3339), where that is known. */
  readonly at?: string;
}

/** One who belongs to nobody known. */
export interface UnknownClient {
  readonly name: string;
  readonly namespace: string;
  readonly does: readonly string[];
  /** RFC 3339. */
  readonly lastSeen?: string;
}

export interface KnownClients {
  /** Pods that use a target's leaf. */
  readonly holders: readonly string[];
  /** Identities that the configuration declares or attests: exact, but for one `*` at the beginning or the end. */
  readonly declared: readonly string[];
}

/**
 * Who was seen and belongs to nobody known, each once. A pod that is gone is known by its workload: the pods of that which
 * run are all proved to be on the new CA.
 */
export function unknownClients(seen: readonly SeenClient[], known: KnownClients): readonly UnknownClient[] {
  const workloads = new Set(known.holders.map(workloadOf));
  const found = new Map<string, UnknownClient>();
  for (const { identity, namespace, does, at } of seen) {
    const name = nameOf(identity);
    const isKnown =
      known.holders.some((pod) => isOfPod(identity, pod)) ||
      workloads.has(name) ||
      known.declared.some((pattern) => matches(pattern, identity) || matches(pattern, name));
    if (isKnown || name === '') continue;
    const key = `${name} ${namespace}`;
    const before = found.get(key);
    const lastSeen = [before?.lastSeen, at]
      .filter((time) => time !== undefined)
      .sort()
      .at(-1);
    found.set(key, {
      name,
      namespace,
      does: [...new Set([...(before?.does ?? []), does])].sort(),
      ...(lastSeen && { lastSeen }),
    });
  }
  return [...found.values()].sort((a, b) => textOf(a).localeCompare(textOf(b)));
}

const textOf = ({ name, namespace }: UnknownClient): string => `${name} ${namespace}`;

/** For a person. */
export function clientText({ name, namespace, does, lastSeen }: UnknownClient): string {
  return `${name} (${does.join(', ')} in ${namespace}${lastSeen ? `, last seen ${lastSeen}` : ''})`;
}

/** The same for every process of a client: SDKs say `<pid>@<host name>`, some with `@` and a task queue behind it. */
export function nameOf(identity: string): string {
  const host = /^\d+@([^@]+)(@.*)?$/.exec(identity)?.[1] ?? identity;
  return workloadOf(host);
}

/** Without what Kubernetes appends to the names of pods, from an alphabet of its own (apimachinery, util/rand). */
function workloadOf(pod: string): string {
  return pod.replace(/(-[bcdfghjklmnpqrstvwxz2456789]{6,10}|-\d{8,})?-[bcdfghjklmnpqrstvwxz2456789]{5}$/, '');
}

function matches(pattern: string, text: string): boolean {
  if (pattern.startsWith('*')) return text.endsWith(pattern.slice(1));
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}
