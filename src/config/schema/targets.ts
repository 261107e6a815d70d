import { z } from 'zod';
import {
  filePath,
  kubernetesName,
  kubernetesNamespace,
  name,
  plainText,
  positiveDuration,
  temporalNamespace,
} from '../fields.js';
import { dnsName, keyAlgorithm, subject } from './certificates.js';

export const kubernetes = z
  .strictObject({
    kubeconfig: filePath.optional().describe("Default: KUBECONFIG, ~/.kube/config, the pod's own service account."),
    context: plainText.optional().describe('Context of the kubeconfig (default: its current one).'),
    sandbox: plainText.optional().describe('Random id of a sandbox; only a sandbox sets it.'),
  })
  .describe('The cluster with the Secrets and workloads.');

export const target = z
  .strictObject({
    kind: z.literal('kubernetes').default('kubernetes'),
    authority: name.describe('Authority that signs its leaf.'),
    namespace: kubernetesNamespace.describe('Kubernetes namespace.'),
    secret: kubernetesName.describe('Secret of type kubernetes.io/tls.'),
    subject,
    dnsNames: z.array(dnsName).default([]).describe('Subject alternative names of the leaf.'),
    uris: z.array(z.url('not a URI: write one such as spiffe://example.com/worker').max(2048)).default([]),
    algorithm: keyAlgorithm,
    lifetime: positiveDuration
      .prefault('30d')
      .describe(
        'Of a leaf: at least 3 × schedule.interval + schedule.jitter + timing.rolloutDeadline + schedule.alertTime.',
      ),
    renew: z
      .union([z.literal('always'), z.strictObject({ before: positiveDuration })])
      .default('always')
      .describe('always: each scheduled run renews. before: only when less than that is left.'),
    rollout: z
      .enum(['rolling', 'scale', 'none'])
      .default('rolling')
      .describe('How running workers get it: a rolling restart; scaled to 0 and back; by themselves.'),
    canary: z.boolean().default(false).describe('Rotated first in a CA rotation, before all other leaves.'),
    takeOwnership: z
      .boolean()
      .default(false)
      .describe(
        'Write the Secret although another controller makes it (External Secrets, Argo CD, ...): it may put it back.',
      ),
    allowOutage: z
      .boolean()
      .default(false)
      .describe('Scale to 0 against an autoscaler, a GitOps tool or a disruption budget.'),
    allowIdle: z.boolean().default(false).describe('A workload without pods counts as moved.'),
    taskQueues: z
      .array(z.strictObject({ namespace: temporalNamespace, name: plainText.max(1000) }))
      .default([])
      .describe('Task queues that its pods poll. A pod counts as moved only when it polls.'),
  })
  .describe('A Secret that holds one leaf, and the workloads that mount it.');
