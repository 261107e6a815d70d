import { z } from 'zod';

/**
 * Fields that the whole file and the schemas beside each kind are made of. A refusal of one is written `what is wrong: what to
 * do`. Names and values can become neither options nor path segments: they begin with a letter or digit, or are absolute.
 */

export const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const longestDurationMs = 100 * 365 * units.d;
export const durationPattern = /^\d+(\.\d+)?(ms|s|m|h|d)$/;
const durationText = z.string().regex(durationPattern, 'not a duration: write one such as 90s, 15m, 24h or 365d');

function milliseconds(text: string): number {
  const unit = /[a-z]+$/.exec(text)![0] as keyof typeof units;
  return Math.round(Number.parseFloat(text) * units[unit]);
}

/** `15m` → 900000. */
export const duration = durationText
  .transform(milliseconds)
  .refine((ms) => ms <= longestDurationMs, 'longer than 100 years: write a shorter duration');

/** A duration that cannot be nothing. */
export const positiveDuration = duration.refine((ms) => ms > 0, 'no time at all: write a duration of at least 1ms');

/**
 * Of an authority, a target, a notifier: part of workflow ids and of keystore entries, whose parts are separated by dots. So
 * long that an entry's name is still that of a Kubernetes Secret.
 */
export const name = z
  .string()
  .max(100)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    'not a name: use lower-case letters, digits and "-", beginning and ending with a letter or digit',
  )
  .meta({ examples: ['booking'] });

const label = '[a-z0-9]([a-z0-9-]*[a-z0-9])?';
const subdomain = new RegExp(`^${label}(\\.${label})*$`);

/** RFC 1123 label: a Kubernetes namespace. */
export const kubernetesNamespace = z
  .string()
  .max(63)
  .regex(
    new RegExp(`^${label}$`),
    'not a Kubernetes namespace: use lower-case letters, digits and "-", beginning and ending with a letter or digit',
  )
  .meta({ examples: ['default'] });

/** RFC 1123 subdomain: a Kubernetes Secret. */
export const kubernetesName = z
  .string()
  .max(253)
  .regex(
    subdomain,
    'not a Kubernetes name: use lower-case letters, digits, "-" and ".", each part beginning and ending with a letter or digit',
  )
  .meta({ examples: ['my-tls'] });

/** A Temporal Cloud namespace with its account. */
export const temporalNamespace = z
  .string()
  .max(100)
  .regex(subdomain, 'not a Temporal Cloud namespace: write <namespace>.<account>, as Temporal Cloud shows it')
  .meta({ examples: ['my-namespace.my-account'] });

const host = '[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?';

export const hostName = z
  .string()
  .max(253)
  .regex(new RegExp(`^${host}$`), 'not a host name: write one such as my-namespace.my-account.tmprl.cloud')
  .meta({ examples: ['my-namespace.my-account.tmprl.cloud'] });

export const hostAndPort = z
  .string()
  .max(260)
  .regex(new RegExp(`^(${host}|\\[[0-9A-Fa-f:.]+\\]):[1-9][0-9]{0,4}$`), 'not an address: write host:port')
  .refine((address) => Number(address.slice(address.lastIndexOf(':') + 1)) < 65_536, 'no such port: write 1 to 65535')
  .meta({ examples: ['my-namespace.my-account.tmprl.cloud:7233'] });

/** Made absolute on load: relative to the folder of the configuration file. */
export const filePath = z
  .string()
  .min(1)
  .regex(/^[^\0]+$/, 'not a path: write the path of a file')
  .meta({ examples: ['/etc/cert-rotation/file.pem'] });

/** What is shown to people and passed on in texts: no control characters, not beginning as an option does. */
export const plainText = z
  .string()
  .min(1)
  .regex(/^[^-\p{Cc}][^\p{Cc}]*$/u, 'not a plain text: begin with another character than "-", on one line');

const environmentVariable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not an environment variable: write its name, such as TEMPORAL_CLOUD_API_KEY')
  .meta({ examples: ['MY_SECRET'] });

/** Where a secret is: an environment variable or a file of the worker. */
export const secretReference = z.union([
  z.strictObject({ env: environmentVariable }),
  z.strictObject({ file: filePath }),
]);

export type SecretReference = z.infer<typeof secretReference>;
