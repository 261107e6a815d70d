import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError, commandFailure, runCommand, type Program } from '../command.js';
import { assertSuitable, temporalProgram } from '../program-version.js';
import { withTemporaryFolder } from '../temporary-folder.js';
import { presented } from '../x509/chain.js';
import type { KeyPair } from '../x509/pair.js';
import type { CertificateAlert } from './alerts.js';
import { hostAndPort, type Endpoint, type Probe, type ProbeResult } from './probe.js';

const againMs = 100;

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
        const first = await list(program, args, { folder, deadlineMs, endpoint });
        return first === 'broken' ? why(program, args, { folder, deadlineMs, endpoint }) : first;
      });
    },
  };
}

/**
 * Of a connection that broke: the end of a connection may overtake the alert that says why. It is tried again to learn it;
 * that a later one is accepted does not undo that this one was not.
 */
async function why(program: Program, args: readonly string[], attempt: Attempt): Promise<ProbeResult> {
  const until = Date.now() + attempt.deadlineMs;
  for (let left = attempt.deadlineMs; left > 0; left = until - Date.now()) {
    const result = await list(program, args, { ...attempt, deadlineMs: left });
    if (result !== 'broken' && result.outcome !== 'accepted') return result;
    if (result !== 'broken') break;
    await wait(againMs);
  }
  return { outcome: 'unreachable', reason: 'the connection was closed without a reason' };
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

async function list(program: Program, args: readonly string[], attempt: Attempt): Promise<ProbeResult | 'broken'> {
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
    if (error.kind === 'deadline') return { outcome: 'unreachable', reason: `no answer in ${deadlineMs} ms` };
    return judge(error, endpoint);
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

const broken = /broken pipe|connection reset|server preface: EOF|closed before server preface/;
const denied = /unauthorized|permission ?denied|not found/i;

function judge({ stderr, message }: CommandError, { namespace }: Endpoint): ProbeResult | 'broken' {
  const [, alertName = ''] = /remote error: tls: ([a-z ]+)/.exec(stderr) ?? [];
  const alert = /server requires (client certificate|mTLS)/.test(stderr) ? 'certificate required' : goAlerts[alertName];
  if (alert) return { outcome: 'refused', layer: 'tls', reason: alert };
  const [said = message] = stderr.split('\n');
  const [, doing, details = ''] = /^Error: failed (connecting|listing workflows).*?: (\D.*)$/.exec(said) ?? [];
  if (doing && denied.test(details)) {
    const asked = doing === 'connecting' ? 'any call' : `the namespace ${namespace}`;
    return { outcome: 'refused', layer: 'rpc', reason: `${asked}: ${details}` };
  }
  return broken.test(stderr) ? 'broken' : { outcome: 'unreachable', reason: said };
}
