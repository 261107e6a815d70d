import { join } from 'node:path';
import { accepts, freePorts } from './ports.js';
import { startProcess, type RunningProcess } from './processes.js';

export interface DevServer {
  /** Plaintext gRPC; only the gateway and the sandbox itself speak to it. */
  readonly address: string;
  readonly ui: string;
  stop(): Promise<void>;
}

interface DevServerOptions {
  readonly temporal: string;
  readonly dir: string;
  readonly namespaces: readonly string[];
  readonly uiPort?: number;
}

/**
 * The Temporal dev server, with the search attributes of this system. Long polls end after two seconds, so that a
 * connection age of seconds, as the sandbox's gateway has it, does not cut them.
 */
export async function startDevServer({ temporal, dir, namespaces, uiPort }: DevServerOptions): Promise<DevServer> {
  const [port, httpPort, metricsPort, freeUiPort] = (await freePorts(4)) as [number, number, number, number];
  const ui = uiPort ?? freeUiPort;
  const process: RunningProcess = await startProcess({
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
    ],
    env: {},
    logFile: join(dir, 'temporal.log'),
    ready: () => accepts(port),
  });
  return { address: `127.0.0.1:${port}`, ui: `http://127.0.0.1:${ui}`, stop: () => process.stop() };
}
