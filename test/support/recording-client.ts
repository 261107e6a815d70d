import type { KubernetesClient } from '../../src/kubernetes/client.js';

/** One permission in the sense of RBAC. */
export interface Used {
  readonly verb: string;
  readonly group: string;
  readonly namespace: string;
  /** With its subresource: `deployments/scale`. */
  readonly resource: string;
  /** Absent for lists and for what is created by POST. */
  readonly name?: string;
}

/** A client that writes down which permissions its calls needed. Calls outside of a namespace need none of ours. */
export function recordingClient(client: KubernetesClient): { client: KubernetesClient; used: readonly Used[] } {
  const used: Used[] = [];
  const note = (path: string, ...verbs: readonly string[]) => {
    const found =
      /^\/(?:api|apis\/(?<group>[^/]+))\/v\d\/namespaces\/(?<namespace>[^/]+)\/(?<resource>[^/?]+)(?:\/(?<name>[^/?]+))?(?:\/(?<sub>[^/?]+))?/.exec(
        path,
      );
    if (!found) return;
    const {
      group = '',
      namespace,
      resource,
      name,
      sub,
    } = found.groups as Record<string, string> & { namespace: string };
    for (const verb of verbs)
      used.push({ verb, group, namespace, resource: `${resource}${sub ? `/${sub}` : ''}`, ...(name && { name }) });
  };
  return {
    used,
    client: {
      time: () => client.time(),
      get: (path) => (note(path, 'get'), client.get(path)),
      list: (path) => (note(path, 'list'), client.list(path)),
      create: (path, object) => (note(path, 'create'), client.create(path, object)),
      replace: (path, object) => (note(path, 'update'), client.replace(path, object)),
      patch: (path, operations, manager) => (note(path, 'patch'), client.patch(path, operations, manager)),
      delete: (path) => (note(path, 'delete'), client.delete(path)),
      // Apply also creates what is not there.
      async apply(path, object, manager) {
        const exists = object.metadata?.uid !== undefined;
        note(path, ...(exists ? ['patch'] : ['patch', 'create']));
        return client.apply(path, object, manager);
      },
    },
  };
}
