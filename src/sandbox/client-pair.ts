import { join } from 'node:path';
import { loadConfig } from '../config/load.js';
import { booking } from './configuration.js';
import type { Sandbox } from './index.js';
import { MountedSecret } from './kubernetes/mounted-secret.js';
import type { SecretObject } from './kubernetes/pod-objects.js';

/** A client certificate for a person: the booking workers' Secret as files, 0600, as a kubelet would mount it. */
export interface ClientPair {
  readonly files: { readonly certificate: string; readonly key: string };
  /** Brings the files up to date: after a rotation the old pair is refused. */
  sync(): Promise<void>;
}

export async function followClientPair({ dir, configFile, kubernetes }: Sandbox): Promise<ClientPair> {
  const { namespace, secret: name } = (await loadConfig(configFile)).config.targets[booking.target]!;
  const mounted = new MountedSecret(join(dir, 'client'));
  const pair: ClientPair = {
    files: { certificate: join(mounted.path, 'tls.crt'), key: join(mounted.path, 'tls.key') },
    async sync() {
      const secret = await kubernetes.admin.get<SecretObject>(`/api/v1/namespaces/${namespace}/secrets/${name}`);
      if (secret) await mounted.sync(secret);
    },
  };
  await pair.sync();
  return pair;
}
