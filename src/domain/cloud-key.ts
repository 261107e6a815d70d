import { RotationError } from './failures.js';

/** Whom an API key of Temporal Cloud belongs to, how long it lasts and what it may do, as far as the cloud tells. */
export interface CloudIdentity {
  readonly kind: 'user' | 'service account';
  readonly name: string;
  /** When the key ends, RFC 3339; absent where the cloud does not tell. */
  readonly keyExpires?: string;
  /** Role in the account: `owner`, `admin`, `developer`, `finance admin`, `read`, `metrics read`; absent: none, or not told. */
  readonly accountRole?: string;
  /** `admin`, `write` or `read`, by namespace; those that come with a role of the account are not among them. */
  readonly permissions: Readonly<Record<string, string>>;
}

export interface KeyNeeds {
  /** Namespaces that a rotation changes. */
  readonly namespaces: readonly string[];
  /** The latest moment at which the removal may still have to be undone. */
  readonly until: Date;
  /** What a refusal says first: how things stand. */
  readonly state: string;
}

const administers = (role: string | undefined): boolean => role === 'owner' || role === 'admin';

/**
 * What a person should know of the key. Throws CloudKeyExpires when it ends before the rotation may: the undo needs it, and
 * nothing else (safety 24). Throws CloudForbidden when the cloud tells that it may not change one of the namespaces.
 */
export function judgeKey(identity: CloudIdentity, { namespaces, until, state }: KeyNeeds): readonly string[] {
  const { kind, name, keyExpires, accountRole, permissions } = identity;
  const whose = `the API key of ${kind} ${name}`;
  if (keyExpires !== undefined && Date.parse(keyExpires) <= until.getTime())
    throw new RotationError(
      'CloudKeyExpires',
      `${state}: ${whose} ends at ${keyExpires}, and the rotation may need it until ${until.toISOString()}.`,
    );
  const lesser = namespaces.find((namespace) => ['read', 'write'].includes(permissions[namespace] ?? ''));
  if (lesser && !administers(accountRole))
    throw new RotationError('CloudForbidden', `${state}: ${whose} may only ${permissions[lesser]} ${lesser}.`);
  const more = Object.keys(permissions).filter((namespace) => !namespaces.includes(namespace));
  return [
    keyExpires === undefined ? `${whose}: the cloud does not tell when it ends` : `${whose} lasts until ${keyExpires}`,
    ...(kind === 'user' ? [`${whose} is a person's: use that of a service account`] : []),
    ...(accountRole !== undefined && !['read', 'metrics read'].includes(accountRole)
      ? [`${whose} may do more than it needs: it is ${accountRole} of the account`]
      : []),
    ...(more.length > 0 ? [`${whose} may do more than it needs: it reaches ${more.join(', ')}, too`] : []),
  ];
}
