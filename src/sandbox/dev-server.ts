import { join } from 'node:path';
import { accepts, freePorts } from './ports.js';
import { startProcess, type ProcessOptions, type RunningProcess } from './processes.js';

export interface DevServer {
  /** Plaintext gRPC; only the gateway and the sandbox itself speak to it. */
  readonly address: string;
  readonly ui: string;
  /** Stops it, and starts it again where it was: what it knew is gone unless it `keeps` it. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface DevServerOptions {
  readonly temporal: string;
  readonly dir: string;
  readonly namespaces: readonly string[];
  readonly uiPort?: number;
  /** On disk, in `dir`. */
  readonly keeps?: boolean | undefined;
}

/** It has to survive its own restart, not that of the machine; with syncs it hardly keeps up with three workers. */
const withoutSync = ['--sqlite-pragma=journal_mode=wal', '--sqlite-pragma=synchronous=off'];

/**
 * The Temporal dev server, with the search attributes of this system. Long polls end after two seconds, so that a
 * connection age of seconds, as the sandbox's gateway has it, does not cut them.
 */
export async function startDevServer({
  temporal,
  dir,
  namespaces,
  uiPort,
  keeps,
}: DevServerOptions): Promise<DevServer> {
  const [port, httpPort, metricsPort, freeUiPort] = (await freePorts(4)) as [number, number, number, number];
  const ui = uiPort ?? freeUiPort;
  const options: ProcessOptions = {
    name: 'temporal',
    command: temporal,
    args: [
      'server',
      'start-dev',
      '--ip=127.0.0.1',
      `--port=${port}`,
      `--http-port=${httpPort}`,
      `--metrics-port=${metricsPort}`,
      `--ui-port=${ui}`,
      ...namespaces.map((namespace) => `--namespace=${namespace}`),
      '--search-attribute=RotationPhase=Keyword',
      '--search-attribute=RotationSubject=Keyword',
      '--dynamic-config-value=matching.longPollExpirationInterval="2s"',
      '--log-level=error',
      ...(keeps ? [`--db-filename=${join(dir, 'temporal.db')}`, ...withoutSync] : []),
    ],
    env: {},
    logFile: join(dir, 'temporal.log'),
    ready: () => accepts(port),
  };
  let process: RunningProcess = await startProcess(options);
  return {
    address: `127.0.0.1:${port}`,
    ui: `http://127.0.0.1:${ui}`,
    async restart() {
      await process.stop();
      process = await startProcess(options);
    },
    stop: () => process.stop(),
  };
}
