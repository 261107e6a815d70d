import { booking } from './configuration.js';
import type { Sandbox } from './index.js';

/** `sandbox.json`: where everything of a running sandbox is, for people and scripts. */
export interface SandboxDescription {
  /** The process that holds the sandbox. */
  readonly pid: number;
  /** The dev server itself, without TLS. */
  readonly temporal: { readonly address: string; readonly ui: string };
  /** Mutual TLS in front of it, as Temporal Cloud has it; `serverNames` by Temporal namespace. */
  readonly gateway: {
    readonly address: string;
    readonly caFile: string;
    readonly serverNames: Readonly<Record<string, string>>;
  };
  /** Temporal Cloud's API. */
  readonly cloud: { readonly address: string; readonly caFile: string; readonly apiKey: string };
  readonly kubernetes: { readonly kubeconfig: string };
  /** The rotation worker's process; absent where the sandbox runs none. */
  readonly worker?: { readonly pid: number };
  /** The rotation's configuration file. */
  readonly configuration: string;
}

export function describeSandbox(sandbox: Sandbox): SandboxDescription {
  const { temporal, gateway, cloud, kubernetes, configFile } = sandbox;
  const worker = rotationWorkerPid(sandbox);
  return {
    pid: process.pid,
    temporal: { address: temporal.address, ui: temporal.ui },
    gateway: {
      address: gateway.address,
      caFile: gateway.caFile,
      serverNames: { [booking.namespace]: gateway.serverNameOf(booking.namespace) },
    },
    cloud: { address: cloud.address, caFile: gateway.caFile, apiKey: cloud.apiKey },
    kubernetes: { kubeconfig: kubernetes.adminKubeconfig },
    ...(worker !== undefined && { worker: { pid: worker } }),
    configuration: configFile,
  };
}

function rotationWorkerPid({ nodeAgent }: Sandbox): number | undefined {
  return [...nodeAgent.pods()].find(([name, pid]) => name.startsWith('cert-rotation-worker-') && pid)?.[1];
}
