import type { KubernetesObject } from '../../kubernetes/client.js';

/** The parts of a Pod that the node agent acts on. */
export interface PodObject extends KubernetesObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly terminationGracePeriodSeconds?: number;
    readonly containers: readonly ContainerSpec[];
    readonly volumes?: readonly VolumeSpec[];
  };
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly EnvSpec[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly readinessProbe?: {
    readonly exec?: { readonly command: readonly string[] };
    readonly initialDelaySeconds?: number;
    readonly periodSeconds?: number;
    readonly failureThreshold?: number;
    readonly timeoutSeconds?: number;
  };
}

interface EnvSpec {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

export interface VolumeSpec {
  readonly name: string;
  readonly secret?: { readonly secretName: string };
  readonly emptyDir?: object;
}

export interface SecretObject extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}
