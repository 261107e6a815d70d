import type { KubernetesObject, OwnerReference } from '../../kubernetes/client.js';

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
  readonly ephemeralContainers?: readonly Container[];
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
  readonly volumeMounts?: readonly VolumeMount[];
  readonly readinessProbe?: object;
}

interface VolumeMount {
  readonly name?: string;
  readonly subPath?: string;
  /** The same, with variables in it. */
  readonly subPathExpr?: string;
}

export interface Pod extends KubernetesObject {
  readonly spec?: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: { readonly terminated?: { readonly message?: string; readonly exitCode?: number } };
}

/** The workloads that can be rolled, and their resources in the API. */
export const workloadKinds = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
} as const;
export type WorkloadKind = keyof typeof workloadKinds;

/** A workload; also what stands between one and its pods, a ReplicaSet or a Job: each has a template. */
export interface Workload extends KubernetesObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly strategy?: UpdateStrategy;
    readonly updateStrategy?: UpdateStrategy;
    readonly template?: KubernetesObject & { readonly spec?: PodSpec };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly updateRevision?: string;
    readonly conditions?: readonly Condition[];
  };
}

interface UpdateStrategy {
  readonly type?: string;
  /** A number of pods, or a percentage of those wanted. */
  readonly rollingUpdate?: { readonly maxUnavailable?: number | string; readonly partition?: number };
}

export interface CronJob extends KubernetesObject {
  readonly spec?: { readonly jobTemplate?: Workload };
}

export const workloadsPath = (namespace: string, resource: string): string =>
  `/apis/apps/v1/namespaces/${namespace}/${resource}`;

export const podsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;

/** The spec of the pods that it makes. */
export function templateOf({ spec }: Workload | CronJob): PodSpec | undefined {
  const maker = spec && 'jobTemplate' in spec ? spec.jobTemplate?.spec : (spec as Workload['spec']);
  return maker?.template?.spec;
}

export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find(({ controller }) => controller);
}

/** How many pods its controller wants. */
export function wantedPods({ spec, status }: Workload): number {
  return status?.desiredNumberScheduled ?? spec?.replicas ?? 1;
}

/** `Succeeded` or `Failed`: its containers will not run again. */
export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** A Job that has not ended. */
export function isUnfinished({ status }: Workload): boolean {
  return !status?.conditions?.some(({ type, status: yes }) => ['Complete', 'Failed'].includes(type) && yes === 'True');
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
