import type { Config } from '../schema.js';
import type { BrokenRule } from './broken-rule.js';

export function targetsHaveAuthorities({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets)
    .filter(([, target]) => !authorities[target.authority])
    .map(([name, target]) => ({
      path: ['targets', name, 'authority'],
      message: `there is no authority "${target.authority}"`,
      fix: chooseFrom(authorities, 'authorities'),
    }));
}

/** What to do about a name that is not there. */
function chooseFrom(known: Readonly<Record<string, unknown>>, section: string): string {
  const names = Object.keys(known).join(', ');
  return names ? `Use one of: ${names}; or describe it under ${section}` : `Describe it under ${section}`;
}

export function authoritiesHaveNamespaces({ authorities, namespaces }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([name, authority]) =>
    authority.namespaces.flatMap((namespace, index) => {
      const path = ['authorities', name, 'namespaces', index];
      if (!namespaces[namespace]) {
        const message = `the namespace "${namespace}" is not described under namespaces`;
        return [{ path, message, fix: `Add it there: { ${namespace}: {} }` }];
      }
      return authority.namespaces.indexOf(namespace) < index
        ? [{ path, message: `the namespace "${namespace}" is there twice`, fix: 'Remove one of the two' }]
        : [];
    }),
  );
}

export function taskQueuesHaveNamespaces({ targets, authorities }: Config): BrokenRule[] {
  return Object.entries(targets).flatMap(([name, { authority, taskQueues }]) => {
    const namespaces = authorities[authority]?.namespaces;
    if (!namespaces) return [];
    return taskQueues.flatMap((queue, index) =>
      namespaces.includes(queue.namespace)
        ? []
        : [
            {
              path: ['targets', name, 'taskQueues', index, 'namespace'],
              message: `the namespace "${queue.namespace}" does not trust authority "${authority}", which signs this leaf`,
              fix: `Use one of: ${namespaces.join(', ')}`,
            },
          ],
    );
  });
}

export function oneTargetPerSecret({ targets }: Config): BrokenRule[] {
  const first = new Map<string, string>();
  return Object.entries(targets).flatMap(([name, { namespace, secret }]) => {
    const key = `${namespace}/${secret}`;
    const other = first.get(key);
    if (!other) first.set(key, name);
    return other
      ? [
          {
            path: ['targets', name, 'secret'],
            message: `target "${other}" holds the Secret ${key} already`,
            fix: `Give each target a Secret of its own, or remove target "${name}"`,
          },
        ]
      : [];
  });
}

export function clientsAreTargets({ authorities, targets }: Config): BrokenRule[] {
  return Object.entries(authorities).flatMap(([authority, { clients = [] }]) =>
    clients.flatMap(({ target }, index) => {
      if (target === undefined || targets[target]?.authority === authority) return [];
      const path = ['authorities', authority, 'clients', index, 'target'];
      const message = `no target "${target}" has a leaf of this authority`;
      return [{ path, message, fix: 'Name one that has, or attest this client' }];
    }),
  );
}

export function notifiersExist({ notices, authorities, notifiers }: Config): BrokenRule[] {
  const named = [
    { path: ['notices', 'notify'], names: notices.notify ?? [] },
    ...Object.entries(authorities).map(([authority, { notify }]) => ({
      path: ['authorities', authority, 'notify'],
      names: notify ?? [],
    })),
  ];
  return named.flatMap(({ path, names }) =>
    names
      .filter((name) => !notifiers[name])
      .map((name) => ({
        path,
        message: `there is no notifier "${name}"`,
        fix: chooseFrom(notifiers, 'notifiers'),
      })),
  );
}
