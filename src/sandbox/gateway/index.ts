import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateFilter } from '../../domain/filters.js';
import { startProcess } from '../processes.js';
import { readRecord, type GatewayEvent } from './record.js';

export type { GatewayEvent } from './record.js';

export interface GatewayOptions {
  readonly binary: string;
  readonly dir: string;
  /** The dev server, `host:port`. */
  readonly upstream: string;
  readonly connectionAgeMs: number;
  readonly connectionAgeGraceMs: number;
  /** One front end per entry; each takes a change of trust over after its own delay. */
  readonly frontendDelaysMs: readonly number[];
}

export interface Gateway {
  readonly address: string;
  /** Roots of the server certificate. */
  readonly caFile: string;
  /** Server certificate and key, for the sandbox's other servers. */
  readonly serverCertificate: { readonly certificateFile: string; readonly keyFile: string };
  serverNameOf(namespace: string): string;
  /** `immediate` is for the first setting only. */
  setTrust(namespace: string, trust: Trust, options?: { immediate?: boolean }): Promise<void>;
  record(): Promise<readonly GatewayEvent[]>;
  /** A GatewayEvent in JSON on each line. */
  readonly recordFile: string;
  stop(): Promise<void>;
}

export interface Trust {
  readonly bundlePem: string;
  readonly filters: readonly CertificateFilter[];
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { dir } = options;
  const controlToken = randomBytes(16).toString('hex');
  const recordFile = join(dir, 'gateway-record.jsonl');
  const configFile = join(dir, 'gateway-config.json');
  const { upstream, connectionAgeMs, connectionAgeGraceMs, frontendDelaysMs } = options;
  const config = { dir, upstream, connectionAgeMs, connectionAgeGraceMs, frontendDelaysMs, recordFile, controlToken };
  await writeFile(configFile, JSON.stringify(config), { mode: 0o600 });
  const addresses = async () =>
    JSON.parse(await readFile(join(dir, 'gateway.json'), 'utf8')) as { address: string; control: string };
  const process = await startProcess({
    name: 'gateway',
    command: options.binary,
    args: [configFile],
    env: {},
    logFile: join(dir, 'gateway.log'),
    ready: async () => Boolean(await addresses()),
  });
  const { address, control } = await addresses();
  const serverNameOf = (namespace: string) => `${namespace}.tmprl.cloud`;
  return {
    address,
    caFile: join(dir, 'ca.pem'),
    serverCertificate: { certificateFile: join(dir, 'server.pem'), keyFile: join(dir, 'server.key') },
    serverNameOf,
    async setTrust(namespace, trust, { immediate = false } = {}) {
      const answer = await fetch(`http://${control}/namespaces/${namespace}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${controlToken}` },
        body: JSON.stringify({ ...trust, immediate, serverName: serverNameOf(namespace) }),
      });
      if (!answer.ok) throw new Error(`the gateway refused the trust of ${namespace}: ${await answer.text()}`);
    },
    record: () => readRecord(recordFile),
    recordFile,
    stop: () => process.stop(),
  };
}
