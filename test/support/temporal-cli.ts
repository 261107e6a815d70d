import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubernetesObject } from '../../src/kubernetes/client.js';
import { booking } from '../../src/sandbox/configuration.js';
import type { Sandbox } from '../../src/sandbox/index.js';
import { findTool } from '../../src/sandbox/tools/index.js';

const run = promisify(execFile);

/** The real `temporal` through the gateway, with one certificate. Rejects with the tool's own words. */
export type TemporalCli = (...args: readonly string[]) => Promise<string>;

/** With the pair that the booking workers' Secret holds now, kept in `folder`. */
export async function temporalCli(sandbox: Sandbox, folder: string): Promise<TemporalCli> {
  type Secret = KubernetesObject & { readonly data: Readonly<Record<string, string>> };
  const path = '/api/v1/namespaces/temporal-booking/secrets/temporal-booking-tls';
  const secret = await sandbox.kubernetes.admin.get<Secret>(path);
  const pem = (key: string) => Buffer.from(secret!.data[key]!, 'base64').toString();
  return temporalCliWith(sandbox, folder, { certificate: pem('tls.crt'), key: pem('tls.key') });
}

/** With that pair (PEM), kept in `folder`. */
export async function temporalCliWith(
  { gateway, dir }: Sandbox,
  folder: string,
  pair: { readonly certificate: string; readonly key: string },
): Promise<TemporalCli> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = async (name: string, pem: string) => {
    const path = join(folder, name);
    await writeFile(path, pem, { mode: 0o600 });
    return path;
  };
  const connection = [
    `--address=${gateway.address}`,
    `--namespace=${booking.namespace}`,
    `--tls-ca-path=${gateway.caFile}`,
    `--tls-server-name=${gateway.serverNameOf(booking.namespace)}`,
    `--tls-cert-path=${await file('tls.crt', pair.certificate)}`,
    `--tls-key-path=${await file('tls.key', pair.key)}`,
  ];
  const temporal = await findTool('temporal');
  return async (...args) => {
    const environment = { PATH: process.env['PATH'], HOME: dir };
    const { stdout } = await run(temporal, [...args, ...connection], { env: environment, timeout: 120_000 });
    return stdout;
  };
}
