import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, commandFailure, runCommand, type Program } from '../command.js';
import { assertSuitable, temporalProgram } from '../program-version.js';
import { withTemporaryFolder } from '../temporary-folder.js';
import { presented } from '../x509/chain.js';
import type { KeyPair } from '../x509/pair.js';
import type { CertificateAlert } from './alerts.js';
import { hostAndPort, type Endpoint, type Probe, type ProbeResult } from './probe.js';

export interface TemporalCliOptions {
  readonly program: Program;
  readonly deadlineMs?: number;
}

/** Probe `temporal-cli`: `temporal workflow list` with the pair, in files of a temporary folder, as a person would try it. */
export function createTemporalCliProbe({ program, deadlineMs = 10_000 }: TemporalCliOptions): Probe {
  let suitable: Promise<void> | undefined;
  return {
    async test(leaf, endpoint) {
      await (suitable ??= assertSuitable(program, temporalProgram).catch((error: unknown) => {
        suitable = undefined;
        throw error;
      }));
      return withTemporaryFolder(async (folder) => {
        const args = await connection(folder, leaf, endpoint);
        const until = Date.now() + deadlineMs;
        for (;;) {
          const left = until - Date.now();
          if (left <= 0) return { outcome: 'unreachable', reason: `no answer in ${deadlineMs} ms` };
          const result = await list(program, args, { folder, deadlineMs: left, endpoint });
          if (result) return result;
        }
      });
    },
  };
}

async function connection(folder: string, leaf: KeyPair, endpoint: Endpoint): Promise<readonly string[]> {
  const file = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const { address, namespace, serverName, serverRoots } = endpoint;
  return [
    `--address=${address}`,
    `--namespace=${namespace}`,
    `--tls-server-name=${serverName ?? hostAndPort(address).host}`,
    `--tls-cert-path=${await file('tls.crt', presented(leaf))}`,
    `--tls-key-path=${await file('tls.key', leaf.key.reveal())}`,
    ...(serverRoots ? [`--tls-ca-path=${await file('roots.pem', serverRoots)}`] : []),
  ];
}

interface Attempt {
  /** The home that it looks for configuration in. */
  readonly folder: string;
  readonly deadlineMs: number;
  readonly endpoint: Endpoint;
}

/** Undefined: the connection broke without a reason, to be tried again. */
async function list(program: Program, args: readonly string[], attempt: Attempt): Promise<ProbeResult | undefined> {
  const { folder, deadlineMs, endpoint } = attempt;
  const options = ['--limit=1', '--color=never', '--disable-config-file', '--disable-config-env'];
  try {
    await runCommand({
      program,
      args: ['workflow', 'list', ...options, ...args],
      env: { HOME: folder },
      deadlineMs,
    });
    return { outcome: 'accepted', remote: endpoint.address };
  } catch (error) {
    if (!(error instanceof CommandError) || error.kind === 'missing' || error.kind === 'mismatch')
      throw commandFailure('Listing workflows', error);
    return error.kind === 'deadline' ? undefined : judge(error, endpoint);
  }
}

/** What Go calls them (crypto/tls), by what the RFC does. */
const goAlerts: Readonly<Record<string, CertificateAlert>> = {
  'bad certificate': 'bad certificate',
  'unsupported certificate': 'unsupported certificate',
  'revoked certificate': 'certificate revoked',
  'expired certificate': 'certificate expired',
  'unknown certificate': 'certificate unknown',
  'unknown certificate authority': 'unknown ca',
  'access denied': 'access denied',
  'certificate required': 'certificate required',
};

/** The end of a connection may overtake the alert that says why: then the program finds it broken. */
const broken = /broken pipe|connection reset|server preface: EOF|closed before server preface/;
const denied = /unauthorized|permission ?denied|not found/i;

function judge({ stderr, message }: CommandError, { namespace }: Endpoint): ProbeResult | undefined {
  const [, alertName = ''] = /remote error: tls: ([a-z ]+)/.exec(stderr) ?? [];
  const alert = /server requires (client certificate|mTLS)/.test(stderr) ? 'certificate required' : goAlerts[alertName];
  if (alert) return { outcome: 'refused', layer: 'tls', reason: alert };
  const [said = message] = stderr.split('\n');
  const [, doing, details = ''] = /^Error: failed (connecting|listing workflows).*?: (\D.*)$/.exec(said) ?? [];
  if (doing && denied.test(details)) {
    const asked = doing === 'connecting' ? 'any call' : `the namespace ${namespace}`;
    return { outcome: 'refused', layer: 'rpc', reason: `${asked}: ${details}` };
  }
  return broken.test(stderr) ? undefined : { outcome: 'unreachable', reason: said };
}
