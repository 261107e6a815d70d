import { z } from 'zod';
import { minuteOf, weekdays } from '../domain/wall-clock.js';
import { messageTimeout } from '../notifiers/fields.js';
import { notifierSchema } from '../notifiers/index.js';
import { webhookPlace } from '../notifiers/webhook.js';
import {
  duration,
  filePath,
  hostAndPort,
  hostName,
  kubernetesName,
  kubernetesNamespace,
  name,
  plainText,
  positiveDuration,
  secretReference,
  temporalNamespace,
} from './fields.js';

/**
 * The configuration file, as a schema. Durations are written `90s`, `15m`, `24h`, `365d` and become milliseconds on load.
 * Secrets are references, never values. What the schema cannot say (a leaf that outlives its CA, two targets on one
 * Secret) is checked in rules.ts. The descriptions are what editors show (examples/rotation.schema.json).
 */

const distinguishedName = plainText.max(64);

const subject = z
  .strictObject({
    commonName: distinguishedName.optional(),
    organization: distinguishedName.optional(),
    organizationalUnit: distinguishedName.optional(),
  })
  .refine(
    (value) => Object.keys(value).length > 0,
    'empty: give at least one of commonName, organization, organizationalUnit',
  )
  .describe('Distinguished name of the certificates. That of a leaf must match a filter of its namespaces.')
  .meta({ examples: [{ organization: 'My Company' }] });

const pattern = plainText.max(256);

export const certificateFilter = z
  .strictObject({
    commonName: pattern.optional(),
    organization: pattern.optional(),
    organizationalUnit: pattern.optional(),
    subjectAlternativeName: pattern.optional(),
  })
  .refine(
    (value) => Object.keys(value).length > 0,
    'empty: give at least one of commonName, organization, organizationalUnit, subjectAlternativeName',
  )
  .refine(
    (value) => Object.values(value).every((text) => /^(\*?[^*]+|[^*]+\*)$/.test(text ?? 'x')),
    'a * stands where it may not: write one at the beginning or at the end, never alone',
  )
  .describe('All fields that are given must match; one * may stand at the beginning or the end for any text.')
  .meta({ examples: [{ commonName: 'my-worker' }] });

const keyAlgorithms = z.enum(['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096']);
const keyAlgorithm = keyAlgorithms.default('P-384').describe('Key of the certificates.');

const temporal = z
  .strictObject({
    profile: plainText.optional().describe('Profile of the Temporal configuration file (default: TEMPORAL_PROFILE).'),
    address: hostAndPort.optional().describe('host:port (default: TEMPORAL_ADDRESS, then the profile).'),
    namespace: temporalNamespace
      .optional()
      .describe('Where the rotations run (default: TEMPORAL_NAMESPACE, then the profile).'),
    taskQueue: plainText.default('cert-rotation').describe('Task queue of the rotation worker.'),
    tls: z
      .strictObject({
        certificateFile: filePath.describe('PEM; followed: a new certificate is taken up without a restart.'),
        keyFile: filePath,
        serverName: hostName.optional().describe('TLS server name (default: the host of the address).'),
        serverRootsFile: filePath.optional().describe('PEM roots of the server (default: those of the system).'),
      })
      .optional()
      .describe('Client certificate (default: the TEMPORAL_TLS_* variables, then the profile).'),
  })
  .describe(
    "How this system's own worker and commands reach Temporal. What is absent comes from TEMPORAL_* and the profile.",
  )
  .meta({ examples: [{ namespace: 'my-namespace.my-account' }] });

/** A program of somebody else: an absolute path, because the worker never searches for one (safety 26). */
const program = {
  binary: z
    .string()
    .regex(/^\//, 'is no absolute path')
    .describe('Absolute path of the program: the worker never searches for one.')
    .meta({ examples: ['/usr/local/bin/tcld'] }),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'is no SHA-256: 64 lower-case hex digits')
    .optional()
    .describe('The program is not run when its file has another one.'),
};

const cloudApi = {
  address: hostAndPort.default('saas-api.tmprl.cloud:443'),
  serverRootsFile: filePath.optional().describe('PEM roots of the server; only for a sandbox.'),
  apiKey: secretReference
    .describe('API key of a service account with Namespace Admin on the namespaces.')
    .meta({ examples: [{ env: 'TEMPORAL_CLOUD_API_KEY' }] }),
};

const cloud = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('ops-api'), ...cloudApi }),
    z.strictObject({
      kind: z.literal('tcld'),
      ...program,
      ...cloudApi,
      allowFieldLoss: z
        .boolean()
        .default(false)
        .describe('Write without looking, through Cloud Ops, for the fields of the spec that tcld loses (safety 38).'),
    }),
  ])
  .describe('What changes the namespaces: the Cloud Ops API, or tcld.')
  .meta({ examples: [{ kind: 'ops-api', apiKey: { env: 'TEMPORAL_CLOUD_API_KEY' } }] });

const keystore = z
  .discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('kubernetes'),
        namespace: kubernetesNamespace.default('cert-rotation'),
        encryptionKey: secretReference
          .optional()
          .describe('32 bytes, base64: encrypts every private key at rest (AES-256-GCM).')
          .meta({ examples: [{ env: 'CERT_ROTATION_KEY' }] }),
        allowPlaintext: z.boolean().default(false).describe('Keep private keys unencrypted in Secrets.'),
      })
      .refine((value) => value.encryptionKey !== undefined || value.allowPlaintext, {
        path: ['encryptionKey'],
        message:
          'private keys would be kept unencrypted: give a key-encryption key, such as { env: CERT_ROTATION_KEY }, or say allowPlaintext: true',
      }),
  ])
  .describe('Where private keys rest.')
  .meta({ examples: [{ kind: 'kubernetes', encryptionKey: { env: 'CERT_ROTATION_KEY' } }] });

const kubernetes = z
  .strictObject({
    kubeconfig: filePath.optional().describe("Default: KUBECONFIG, ~/.kube/config, the pod's own service account."),
    context: plainText.optional().describe('Context of the kubeconfig (default: its current one).'),
    sandbox: plainText.optional().describe('Random id of a sandbox; only a sandbox sets it.'),
  })
  .describe('The cluster with the Secrets and workloads.');

const namespace = z
  .strictObject({
    endpoints: z
      .array(hostAndPort)
      .min(1)
      .optional()
      .describe('Where clients connect, each host:port (default: <namespace>.tmprl.cloud:7233).'),
    serverName: hostName.optional().describe('TLS server name (default: the host of each endpoint).'),
    serverRootsFile: filePath.optional().describe('PEM roots of the server (default: those of the system).'),
    filters: z
      .array(certificateFilter)
      .max(25)
      .optional()
      .describe('Wanted certificate filters (default: left as they are).'),
  })
  .describe('A Temporal Cloud namespace, by <namespace>.<account>.');

const approval = z
  .strictObject({
    mode: z
      .enum(['manual', 'automatic'])
      .default('manual')
      .describe('Does a person approve the removal of the old CA? automatic asks one, too, when anything is in doubt.'),
    deadline: positiveDuration.prefault('5d').describe('Nobody decided until then: both CAs stay trusted.'),
    remindEvery: positiveDuration.prefault('1d'),
    secondPerson: z
      .boolean()
      .default(false)
      .describe('Two approvers must approve, neither of them whoever started the rotation.'),
    approvers: z
      .record(name, z.strictObject({ publicKey: z.string().describe('PEM: Ed25519, ECDSA or RSA.') }))
      .refine((all) => Object.keys(all).length > 0, 'nobody could approve: list somebody, or leave approvers out')
      .optional()
      .describe('Whose approval counts, signed by their key. Without it, whoever approves is who they claim to be.'),
  })
  .prefault({});

const client = z
  .strictObject({
    name: plainText.max(100),
    identities: z
      .array(
        plainText
          .max(256)
          .regex(/^(\*?[^*]+|[^*]+\*)$/, 'a * stands where it may not: write one at the beginning or at the end'),
      )
      .min(1)
      .optional()
      .describe('How it calls itself in histories: whoever is found there and is not declared is in doubt.')
      .meta({ examples: [['*@ci-runner']] }),
    target: name.optional().describe('The target that holds its leaf; or else:'),
    attestedBy: plainText.max(100).optional().describe('Who says that the removal of a CA does not lock it out.'),
    attestedOn: z.iso.date('not a date: write one such as 2026-11-20').optional().describe('When they said it.'),
    because: plainText.max(300).optional().describe('Why it does not.'),
  })
  .refine(
    ({ target, ...attested }) =>
      [attested.attestedBy, attested.attestedOn, attested.because].every(
        (field) => (field === undefined) === (target !== undefined),
      ),
    'neither declared nor attested: give either target, or attestedBy, attestedOn and because',
  )
  .meta({ examples: [{ name: 'CI', attestedBy: 'ada', attestedOn: '2026-11-20', because: 'it uses an API key' }] });

const issuer = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('builtin'), algorithm: keyAlgorithm }),
    z.strictObject({
      kind: z.literal('tcld'),
      ...program,
      algorithm: keyAlgorithms
        .extract(['P-384', 'RSA-4096'])
        .default('P-384')
        .describe('Key of the CA and its leaves.'),
    }),
    z.strictObject({
      kind: z.literal('certstrap'),
      ...program,
      algorithm: keyAlgorithm,
      passphrase: secretReference.optional().describe('Encrypts the keys in its depot, a temporary folder.'),
    }),
  ])
  .prefault({ kind: 'builtin' })
  .describe('What makes the CA and signs leaves: the built-in issuer, which leaves nothing out, tcld or certstrap.')
  .meta({ examples: [{ kind: 'builtin' }] });

const authority = z
  .strictObject({
    issuer,
    subject,
    lifetime: positiveDuration.prefault('365d').describe('Of a CA: longer than its longest leaf + approval + watch.'),
    namespaces: z
      .array(temporalNamespace)
      .min(1)
      .describe('Namespaces that trust it; each is described below namespaces.'),
    sharedTrust: z
      .boolean()
      .default(false)
      .describe('Several namespaces may admit the same leaves: their filters need not keep them apart.'),
    approval,
    clients: z
      .array(client)
      .min(1)
      .optional()
      .describe(
        'Clients that never poll, which nobody can see: each a target, or attested. An automatic removal needs the list.',
      ),
    renewBefore: z
      .union([z.literal('never'), positiveDuration])
      .prefault('30d')
      .describe('The expiry watch starts the rotation when the CA that signs has less than this left.'),
    notify: z
      .array(name)
      .optional()
      .describe('Who is told of its rotations, CAs and leaves (default: every notifier).'),
  })
  .describe('A CA that this system manages.');

const dnsName = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    'not a DNS name: write one such as worker.example.com or *.example.com',
  )
  .meta({ examples: ['worker.example.com'] });

const target = z
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

const probe = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('client') }),
    z.strictObject({ kind: z.literal('temporal-cli'), ...program }),
  ])
  .prefault({ kind: 'client' })
  .describe('The connection test with a new leaf: built in, or `temporal workflow list`.')
  .meta({ examples: [{ kind: 'client' }] });

const timing = z
  .strictObject({
    connectionAge: positiveDuration.prefault('5m').describe("The server's maximum connection age."),
    connectionAgeGrace: duration.prefault('70s').describe('And its grace.'),
    secretPropagation: duration.prefault('60s').describe('From writing a Secret until every kubelet has seen it.'),
    rolloutDeadline: positiveDuration.prefault('10m'),
    pollDeadline: positiveDuration
      .prefault('2m')
      .describe('From the first new pod that is ready to its first poll; without one the rollout is put back at once.'),
    proof: z
      .strictObject({
        successes: z.int().min(2).max(1000).default(5),
        over: duration.prefault('10s'),
        deadline: positiveDuration.prefault('10m'),
      })
      .prefault({})
      .describe('Trust is proved by so many accepted probes in a row per endpoint, over at least so long.'),
    trustSoak: duration.prefault('0s').describe('After the proof of trust, before the first target moves.'),
    soak: positiveDuration
      .prefault('7m')
      .describe('After all targets moved, before asking for the removal: at least connectionAge + connectionAgeGrace.'),
    watch: positiveDuration.prefault('7m').describe('After the removal: at least connectionAge + connectionAgeGrace.'),
  })
  .prefault({})
  .describe('The waits of a rotation. The defaults are for Temporal Cloud.');

const cron = z
  .string()
  .max(256)
  .regex(
    /^(\S+ +){4}\S+$|^@(hourly|daily|weekly|monthly|yearly)$/,
    'not a cron expression: write minute hour day month weekday, such as 0 4 * * *',
  )
  .refine((text) => !text.includes('#'), 'a comment: leave it out');

const timezone = z.string().refine(isTimezone, 'not a time zone: write UTC or one such as Europe/Zurich');

/** Offsets such as +01:00 are zones to JavaScript, but not to Temporal. */
function isTimezone(zone: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: zone });
    return /^[A-Za-z]/.test(zone);
  } catch {
    return false;
  }
}

const schedule = z
  .strictObject({
    cron: cron.default('0 4 * * *').describe('When the leaf rotation runs.'),
    timezone: timezone.default('UTC'),
    jitter: duration
      .prefault('5m')
      .describe('Each run begins up to so much later, at random: not every installation at the same minute.'),
    interval: positiveDuration
      .prefault('1d')
      .describe('Longest time between two runs, without jitter; leaves must live at least 3 × this and more.'),
    alertTime: duration.prefault('1d').describe('From a missed renewal until somebody acts.'),
  })
  .prefault({});

const time = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'not a time: write one such as 22:00')
  .meta({ examples: ['22:00'] });

const date = z.iso.date('not a date: write one such as 2026-12-24').meta({ examples: ['2026-12-24'] });

const maintenanceWindow = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .default([...weekdays])
      .describe('On which it begins.'),
    from: time,
    to: time.describe('Not after from: on the next day.'),
  })
  .refine(
    ({ from, to }) => (minuteOf(to) - minuteOf(from) + 1440) % 1440 >= 120 || from === to,
    'shorter than two hours, and a change of the clocks could swallow it: make it longer',
  );

const windows = z
  .strictObject({
    timezone: timezone.default('UTC'),
    restarts: z.array(maintenanceWindow).default([]).describe('When workloads may be restarted (default: always).'),
    removals: z.array(maintenanceWindow).default([]).describe('When an old CA may be removed (default: always).'),
    freeze: z
      .array(
        z
          .strictObject({ from: date, to: date.optional().describe('The last day (default: from).') })
          .refine(({ from, to = from }) => from <= to, 'ends before it begins: exchange from and to'),
      )
      .default([])
      .describe('Days on which neither happens.'),
  })
  .prefault({})
  .describe('Maintenance windows. Before a certificate expires they give way, and people are told.');

const notices = z
  .strictObject({
    at: z
      .array(duration)
      .prefault(['60d', '30d', '14d', '7d', '3d', '1d'])
      .describe('Time left at which people are told, once each; that a certificate has expired is always told.'),
    cron: cron.default('0 * * * *').describe('When it looks, in the timezone of schedule: hourly.'),
    notify: z
      .array(name)
      .optional()
      .describe('Who is told of CAs of nobody here, and of what could not be looked at (default: every notifier).'),
  })
  .prefault({})
  .describe('What the watch over certificates that expire and rotations that were cut short tells, and when it looks.');

const audit = z
  .strictObject({
    webhook: z
      .strictObject({ ...webhookPlace, timeout: messageTimeout })
      .optional()
      .describe('Where audit events go, too, beside the log: in their order, each until it is taken.'),
  })
  .prefault({})
  .describe('Where the record of every change goes, beside the log of the worker.');

export const configSchema = z.strictObject({
  version: z.literal(1),
  temporal,
  cloud,
  keystore,
  kubernetes: kubernetes.prefault({}),
  namespaces: z.record(temporalNamespace, namespace),
  authorities: z.record(name, authority),
  targets: z.record(name, target),
  probe,
  timing,
  schedule,
  windows,
  notices,
  notifiers: z.record(name, notifierSchema).default({}),
  audit,
});

export type Config = z.infer<typeof configSchema>;
export type NamespaceConfig = Config['namespaces'][string];
export type AuthorityConfig = Config['authorities'][string];
export type TargetConfig = Config['targets'][string];
export type Timing = Config['timing'];
export type { SecretReference } from './fields.js';
