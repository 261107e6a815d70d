import { status } from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import type { CloudIdentity } from '../domain/cloud-key.js';
import type { CloudChannel } from './channel.js';
import { cloudFailure, isRpcError } from './failures.js';

const { GetCurrentIdentityResponse } = proto.temporal.api.cloud.cloudservice.v1;
const { AccountAccess, NamespaceAccess } = proto.temporal.api.cloud.identity.v1;
type Access = proto.temporal.api.cloud.identity.v1.IAccess;

/** Whom the channel's API key belongs to, by the Cloud Operations API; undefined where it does not answer that. */
export async function readIdentity(channel: CloudChannel): Promise<CloudIdentity | undefined> {
  try {
    return identityOf(await channel.call('GetCurrentIdentity', new Uint8Array()));
  } catch (error) {
    if (!isRpcError(error)) throw error;
    if (error.code === status.UNIMPLEMENTED || error.code === status.PERMISSION_DENIED) return undefined;
    throw cloudFailure('Asking whose API key it is', error);
  }
}

function identityOf(answer: Uint8Array): CloudIdentity {
  const { user, serviceAccount, principalApiKey } = GetCurrentIdentityResponse.decode(answer);
  const scoped = serviceAccount?.spec?.namespaceScopedAccess;
  const access = user?.spec?.access ?? serviceAccount?.spec?.access;
  const expires = principalApiKey?.spec?.expiryTime?.seconds;
  const role = access?.accountAccess?.role;
  return {
    kind: user ? 'user' : 'service account',
    name: (user?.spec?.email ?? serviceAccount?.spec?.name) || (user?.id ?? serviceAccount?.id ?? ''),
    ...(expires && { keyExpires: new Date(Number(expires) * 1000).toISOString() }),
    ...(role && { accountRole: word(AccountAccess.Role[role], 'ROLE_') }),
    permissions: {
      ...permissionsOf(access),
      ...(scoped?.namespace && { [scoped.namespace]: permissionWord(scoped.access?.permission) }),
    },
  };
}

function permissionsOf(access: Access | null | undefined): Record<string, string> {
  const accesses = Object.entries(access?.namespaceAccesses ?? {});
  return Object.fromEntries(accesses.map(([namespace, { permission }]) => [namespace, permissionWord(permission)]));
}

const permissionWord = (permission: number | null | undefined): string =>
  word(NamespaceAccess.Permission[permission ?? 0], 'PERMISSION_');

/** `ROLE_FINANCE_ADMIN` → `finance admin`; a number that the protos do not know yet is `unknown`. */
const word = (name: string | undefined, prefix: string): string =>
  name?.replace(prefix, '').replaceAll('_', ' ').toLowerCase() ?? 'unknown';
