import type { Config, TargetConfig } from './schema.js';

/**
 * The namespaces that a target's leaf is for: those of the task queues that its pods poll; where it names none, or several may
 * admit the same leaves, all that trust its authority.
 */
export function ownNamespaces({ authorities }: Pick<Config, 'authorities'>, target: TargetConfig): readonly string[] {
  const { namespaces = [], sharedTrust = false } = authorities[target.authority] ?? {};
  const named = new Set(target.taskQueues.map(({ namespace }) => namespace));
  return sharedTrust || named.size === 0 ? namespaces : [...named];
}
