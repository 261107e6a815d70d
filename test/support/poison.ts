import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type { Environment } from './starter.js';

/** What a person's shell may hold: everything that leads to a real cluster or account leads here to one recording server. */
export interface Poison {
  readonly environment: Environment;
  /** How often anybody connected to it. */
  connections(): number;
  stop(): Promise<void>;
}

export async function poisonIn(folder: string): Promise<Poison> {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const home = join(folder, 'home');
  const kubeconfig = join(home, '.kube', 'config');
  const profile = join(home, '.config', 'temporalio', 'temporal.toml');
  for (const file of [kubeconfig, profile]) await mkdir(join(file, '..'), { recursive: true });
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(`https://${address}`)));
  await writeFile(
    profile,
    `[profile.default]\naddress = "${address}"\nnamespace = "prod.acct"\napi_key = "prod-key"\n`,
  );
  return {
    environment: {
      ...process.env,
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      KUBECONFIG: kubeconfig,
      TEMPORAL_CONFIG_FILE: profile,
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: 'prod.acct',
      TEMPORAL_API_KEY: 'prod-key',
      TEMPORAL_CLOUD_API_KEY: 'prod-key',
      TEMPORAL_CLOUD_API_SERVER: address,
      HTTPS_PROXY: `http://${address}`,
      HTTP_PROXY: `http://${address}`,
      AWS_ENDPOINT_URL: `http://${address}`,
      VAULT_ADDR: `http://${address}`,
    },
    connections: () => connections,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function kubeconfigOf(server: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    clusters: [{ name: 'prod', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'prod', user: { token: 'prod-token' } }],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'prod' } }],
  };
}
