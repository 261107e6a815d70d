import { z } from 'zod';

/** Fields that the whole file and the schemas beside each kind are made of. */

export const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `15m` → 900000. */
export const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'write a duration such as 90s, 15m, 24h or 365d')
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)![0] as keyof typeof units;
    return Math.round(Number.parseFloat(text) * units[unit]);
  });

/** Of an authority, a target, a notifier: part of workflow ids and of keystore entries. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
    'use lower-case letters, digits, "-" and ".", starting and ending with a letter or digit',
  );

/** Where a secret is: an environment variable or a file of the worker. */
export const secretReference = z.union([
  z.strictObject({ env: z.string().min(1) }),
  z.strictObject({ file: z.string().min(1) }),
]);

export type SecretReference = z.infer<typeof secretReference>;
