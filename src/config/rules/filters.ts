import { admits, type FilteredNames } from '../../domain/filters.js';
import { ownNamespaces } from '../own-namespaces.js';
import type { Config, TargetConfig } from '../schema.js';
import type { BrokenRule } from './broken-rule.js';

/** Every leaf that will be issued must match the wanted filters of every namespace that it is for. */
export function filtersAdmitTargets(config: Config): BrokenRule[] {
  const { targets, namespaces } = config;
  return Object.entries(targets).flatMap(([name, target]) =>
    ownNamespaces(config, target)
      .filter((namespace) => !admits(namespaces[namespace]?.filters ?? [], leafOf(target)))
      .map((namespace) => ({
        path: ['targets', name, 'subject'],
        message: `no filter of namespace "${namespace}" matches this subject: the leaf would be refused`,
        fix: `Add a filter under namespaces.${namespace}.filters that matches it, or change the subject`,
      })),
  );
}

/**
 * Namespaces that trust one authority admit each other's leaves, unless their filters keep them apart: every leaf is tried against
 * every namespace (safety 5).
 */
export function sharedAuthoritiesAreSplit({ authorities, targets, namespaces }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) => {
    const sharing = [...new Set(authority.namespaces)].filter((namespace) => namespaces[namespace]);
    if (authority.sharedTrust || sharing.length < 2) return [];
    const path = ['authorities', name, 'namespaces'];
    const leaves = Object.entries(targets).filter(([, target]) => target.authority === name);
    const aimless = leaves.find(([, { taskQueues }]) => taskQueues.length === 0);
    if (aimless) {
      const message = `one credential for all of them: which of them the leaf of target "${aimless[0]}" is for is not said`;
      return [{ path, message, fix: 'Give the target its taskQueues, or write sharedTrust: true if it is meant' }];
    }
    const strays = leaves.flatMap(([target, config]) =>
      sharing
        .filter((namespace) => !config.taskQueues.some((queue) => queue.namespace === namespace))
        .filter((namespace) => admits(namespaces[namespace]?.filters ?? [], leafOf(config)))
        .map((namespace) => `"${target}" by ${namespace}`),
    );
    if (strays.length === 0) return [];
    const message = `one credential for all of them: leaves would be admitted where they are not for, of target ${strays.join(', ')}`;
    return [
      {
        path,
        message,
        fix: 'Give each namespace filters that admit its own leaves only, or an authority of its own; or write sharedTrust: true if it is meant',
      },
    ];
  });
}

/** The names that filters will look at in the leaves of this target. */
export function leafOf({ subject, dnsNames, uris }: TargetConfig): FilteredNames {
  const list = (value: string | undefined) => (value === undefined ? [] : [value]);
  return {
    commonNames: list(subject.commonName),
    organizations: list(subject.organization),
    organizationalUnits: list(subject.organizationalUnit),
    subjectAlternativeNames: [...dnsNames, ...uris],
  };
}
