import type { KubernetesObject } from '../../kubernetes/client.js';

/** The parts of Kubernetes objects that a target looks at (kubernetes.io/docs/reference/kubernetes-api). */
export interface Secret extends KubernetesObject {
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
}

export interface PodSpec {
  readonly volumes?: readonly Volume[];
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
}

export interface Volume {
  readonly secret?: { readonly secretName?: string };
  readonly projected?: { readonly sources?: readonly { readonly secret?: { readonly name?: string } }[] };
  readonly csi?: { readonly nodePublishSecretRef?: { readonly name?: string } };
  readonly name?: string;
}

export interface Container {
  readonly name: string;
  readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: { readonly name?: string } } }[];
  readonly envFrom?: readonly { readonly secretRef?: { readonly name?: string } }[];
  readonly volumeMounts?: readonly { readonly name?: string; readonly subPath?: string }[];
}

export interface Pod extends KubernetesObject {
  readonly spec?: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: { readonly terminated?: { readonly message?: string; readonly exitCode?: number } };
}

export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

export interface Workload extends KubernetesObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly strategy?: { readonly type?: string };
    readonly updateStrategy?: { readonly type?: string };
    readonly template?: KubernetesObject & { readonly spec?: PodSpec };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly unavailableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

/** The template annotation that rolls a workload onto a leaf: a retry with the same leaf restarts nothing twice. */
export const stampAnnotation = 'cert-rotation.temporal.io/leaf';

export function stampOf(object: KubernetesObject | undefined): string | undefined {
  return object?.metadata?.annotations?.[stampAnnotation];
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** What a person needs of a pod that does not get ready: its state and its last message. */
export function troubleOf(pod: Pod): string {
  const status = pod.status?.containerStatuses?.find(({ state, lastState }) => state?.waiting ?? lastState?.terminated);
  const waiting = status?.state?.waiting?.reason ?? pod.status?.phase ?? 'unknown';
  const last = status?.lastState?.terminated;
  return `pod ${pod.metadata?.name}: ${waiting}${last ? `, last message: ${last.message ?? `exit code ${last.exitCode}`}` : ''}`;
}
