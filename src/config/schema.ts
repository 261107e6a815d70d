import { z } from 'zod';
import { notifierSchema } from '../notifiers/index.js';
import { duration, name, secretReference, units } from './fields.js';

/**
 * The configuration file, as a schema. Durations are written `90s`, `15m`, `24h`, `365d` and become milliseconds on load.
 * Secrets are references, never values. What the schema cannot say (a leaf that outlives its CA, two targets on one
 * Secret) is checked in rules.ts.
 */

const subject = z
  .strictObject({
    commonName: z.string().min(1).max(64).optional(),
    organization: z.string().min(1).max(64).optional(),
    organizationalUnit: z.string().min(1).max(64).optional(),
  })
  .refine(
    (value) => Object.keys(value).length > 0,
    'give at least one of commonName, organization, organizationalUnit',
  );

export const certificateFilter = z
  .strictObject({
    commonName: z.string().min(1).optional(),
    organization: z.string().min(1).optional(),
    organizationalUnit: z.string().min(1).optional(),
    subjectAlternativeName: z.string().min(1).optional(),
  })
  .refine((value) => Object.keys(value).length > 0, 'give at least one field')
  .refine(
    (value) => Object.values(value).every((text) => /^(\*?[^*]+|[^*]+\*)$/.test(text ?? 'x')),
    'one * is allowed, at the beginning or the end, never alone',
  );

const keyAlgorithm = z.enum(['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096']).default('P-384');

/** Connection of this system's own worker and commands to Temporal. Absent fields come from the TEMPORAL_* environment and profile. */
const temporal = z.strictObject({
  profile: z.string().optional(),
  address: z.string().optional(),
  namespace: z.string().optional(),
  taskQueue: z.string().default('cert-rotation'),
  tls: z
    .strictObject({
      certificateFile: z.string(),
      keyFile: z.string(),
      serverName: z.string().optional(),
      serverRootsFile: z.string().optional(),
    })
    .optional(),
});

const cloud = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('ops-api'),
    address: z.string().default('saas-api.tmprl.cloud:443'),
    /** Roots of the server, PEM file; only for a sandbox. */
    serverRootsFile: z.string().optional(),
    apiKey: secretReference,
  }),
]);

const keystore = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('kubernetes'),
      namespace: name.default('cert-rotation'),
      /** 32 bytes, base64: encrypts every private key at rest (AES-256-GCM). */
      encryptionKey: secretReference.optional(),
      allowPlaintext: z.boolean().default(false),
    })
    .refine((value) => value.encryptionKey !== undefined || value.allowPlaintext, {
      path: ['encryptionKey'],
      message: 'give a key-encryption key, or say allowPlaintext: true',
    }),
]);

const kubernetes = z.strictObject({
  /** Absent: KUBECONFIG, ~/.kube/config, or the pod's own service account. */
  kubeconfig: z.string().optional(),
  context: z.string().optional(),
  /** Namespace the sandbox's marker lives in; set only by the sandbox (safety 25). */
  sandbox: z.string().optional(),
});

const namespace = z.strictObject({
  /** `host:port`; default: the namespace endpoint `<namespace>.tmprl.cloud:7233`. */
  endpoints: z
    .array(z.string().regex(/^.+:\d+$/, 'write host:port'))
    .min(1)
    .optional(),
  /** TLS server name; default: the host of each endpoint. */
  serverName: z.string().optional(),
  serverRootsFile: z.string().optional(),
  /** Wanted certificate filters. Absent: left as they are. */
  filters: z.array(certificateFilter).max(25).optional(),
});

const approval = z
  .strictObject({
    mode: z.enum(['manual', 'automatic']).default('manual'),
    deadline: duration.default(5 * units.d),
    remindEvery: duration.default(units.d),
  })
  .prefault({});

const authority = z.strictObject({
  issuer: z.strictObject({ kind: z.literal('builtin'), algorithm: keyAlgorithm }).prefault({ kind: 'builtin' }),
  subject,
  lifetime: duration.default(365 * units.d),
  namespaces: z.array(z.string()).min(1),
  approval,
  /** The expiry watch starts the rotation when the CA that signs has less than this left. */
  renewBefore: z.union([z.literal('never'), duration]).default(30 * units.d),
  /** Who is told of its rotations, CAs and leaves. Absent: every notifier. */
  notify: z.array(name).optional(),
});

const target = z.strictObject({
  kind: z.literal('kubernetes').default('kubernetes'),
  authority: name,
  /** Kubernetes namespace and Secret. */
  namespace: name,
  secret: name,
  subject,
  dnsNames: z.array(z.string()).default([]),
  uris: z.array(z.string()).default([]),
  algorithm: keyAlgorithm,
  lifetime: duration.default(30 * units.d),
  /** `always`: each scheduled run renews. A duration: only when less than that is left. */
  renew: z.union([z.literal('always'), z.strictObject({ before: duration })]).default('always'),
  rollout: z.enum(['rolling', 'scale', 'none']).default('rolling'),
  /** Rotated first in a CA rotation, before the signing pointer moves. */
  canary: z.boolean().default(false),
  allowIdle: z.boolean().default(false),
  /** Task queues its pods poll, in Temporal namespaces of the authority. A pod counts as adopted only when it polls. */
  taskQueues: z.array(z.strictObject({ namespace: z.string(), name: z.string() })).default([]),
});

/** The waits of a rotation. The defaults are for Temporal Cloud. */
const timing = z
  .strictObject({
    /** The server's maximum connection age, and its grace. */
    connectionAge: duration.default(5 * units.m),
    connectionAgeGrace: duration.default(70 * units.s),
    /** From writing a Secret until every kubelet has seen it. */
    secretPropagation: duration.default(60 * units.s),
    rolloutDeadline: duration.default(10 * units.m),
    /** Trust is proved by so many accepted probes in a row per endpoint, over at least so long. */
    proof: z
      .strictObject({
        successes: z.int().min(2).default(5),
        over: duration.default(10 * units.s),
        deadline: duration.default(10 * units.m),
      })
      .prefault({}),
    /** Wait after the proof of trust, before the first target moves. */
    trustSoak: duration.default(0),
    /** All confirmed and old CA silent for so long before asking for the removal. At least connectionAge + grace. */
    soak: duration.default(7 * units.m),
    /** After the removal; at least connectionAge + grace. */
    watch: duration.default(7 * units.m),
  })
  .prefault({});

const schedule = z
  .strictObject({
    /** Cron expression of the leaf rotation. */
    cron: z.string().default('0 4 * * *'),
    timezone: z.string().default('UTC'),
    jitter: duration.default(0),
    /** Longest time between two runs; leaves must live at least 3 × this and more (safety 4). */
    interval: duration.default(units.d),
    alertTime: duration.default(units.d),
  })
  .prefault({});

/** What the watch over expiring certificates tells, and when it looks. */
const notices = z
  .strictObject({
    /** Time left at which people are told, once each; that a certificate has expired is always told. */
    at: z.array(duration).default([60, 30, 14, 7, 3, 1].map((days) => days * units.d)),
    /** Cron expression, in the timezone of `schedule`. */
    cron: z.string().default('0 6 * * *'),
    /** Who is told of CAs that belong to no authority of ours, and of what could not be looked at. Absent: every notifier. */
    notify: z.array(name).optional(),
  })
  .prefault({});

export const configSchema = z.strictObject({
  version: z.literal(1),
  temporal,
  cloud,
  keystore,
  kubernetes: kubernetes.prefault({}),
  namespaces: z.record(z.string(), namespace),
  authorities: z.record(name, authority),
  targets: z.record(name, target),
  timing,
  schedule,
  notices,
  notifiers: z.record(name, notifierSchema).default({}),
});

export type Config = z.infer<typeof configSchema>;
export type NamespaceConfig = Config['namespaces'][string];
export type AuthorityConfig = Config['authorities'][string];
export type TargetConfig = Config['targets'][string];
export type Timing = Config['timing'];
export type { SecretReference } from './fields.js';
