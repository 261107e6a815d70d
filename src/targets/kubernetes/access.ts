import { RotationError } from '../../domain/failures.js';
import type { KubernetesClient, KubernetesObject } from '../../kubernetes/client.js';
import type { TargetConfig } from '../../config/schema.js';
import type { Consumer } from './consumers.js';
import { workloadKinds } from './objects.js';

interface Access {
  readonly verb: 'get' | 'create' | 'patch' | 'list';
  readonly group: '' | 'apps' | 'autoscaling' | 'policy';
  /** Plural; with its subresource, `deployments/scale`. */
  readonly resource: string;
  /** Absent: all of them. */
  readonly name?: string;
}

interface Needs {
  readonly config: Pick<TargetConfig, 'namespace' | 'secret' | 'rollout' | 'allowOutage'>;
  /** The Secret is there: it need not be created. */
  readonly secretExists: boolean;
  readonly consumers: readonly Consumer[];
}

/** What a rotation of the target does later, and looking does not show to be allowed. */
function accessFor({ config: { secret, rollout, allowOutage }, secretExists, consumers }: Needs): readonly Access[] {
  const secretVerbs = secretExists ? (['patch'] as const) : (['create', 'patch'] as const);
  return [
    ...secretVerbs.map((verb) => ({ verb, group: '' as const, resource: 'secrets', name: secret })),
    ...(rollout === 'scale' && !allowOutage ? lookingForOpponents : []),
    ...(rollout === 'none' ? [] : consumers).flatMap(({ kind, name }) => {
      const resource = workloadKinds[kind];
      const access = (verb: Access['verb'], what: string): Access => ({ verb, group: 'apps', resource: what, name });
      const scale = rollout === 'scale' ? [access('patch', `${resource}/scale`)] : [];
      return [access('get', resource), access('patch', resource), ...scale];
    }),
  ];
}

const lookingForOpponents: readonly Access[] = [
  { verb: 'list', group: 'autoscaling', resource: 'horizontalpodautoscalers' },
  { verb: 'list', group: 'policy', resource: 'poddisruptionbudgets' },
];

/** Asks the API server for all of it. Throws KubernetesForbidden, which names all that is not allowed. */
export async function assertAccess(client: KubernetesClient, needs: Needs): Promise<void> {
  const { namespace } = needs.config;
  const wanted = accessFor(needs);
  const allowed = await Promise.all(wanted.map((access) => isAllowed(client, namespace, access)));
  const refused = wanted.filter((_, index) => !allowed[index]);
  if (refused.length === 0) return;
  const list = refused.map(({ verb, resource, name }) => [verb, resource, name].filter(Boolean).join(' ')).join(', ');
  throw new RotationError(
    'KubernetesForbidden',
    `Not allowed in namespace ${namespace}: ${list}. Nothing was changed.`,
  );
}

interface Review extends KubernetesObject {
  readonly spec: { readonly resourceAttributes: Readonly<Record<string, string>> };
  readonly status?: { readonly allowed: boolean };
}

async function isAllowed(
  client: KubernetesClient,
  namespace: string,
  { verb, group, resource, name }: Access,
): Promise<boolean> {
  const [main, subresource] = resource.split('/') as [string, string?];
  const { status } = await client.create<Review>('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        namespace,
        verb,
        group,
        resource: main,
        ...(name && { name }),
        ...(subresource && { subresource }),
      },
    },
  });
  return status?.allowed ?? false;
}
