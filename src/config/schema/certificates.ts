import { z } from 'zod';
import { plainText } from '../fields.js';

/** Each of its fields may be missing, but not all of them. */
function notEmpty<Fields extends z.ZodRawShape>(fields: Fields) {
  return z
    .strictObject(fields)
    .refine((value) => Object.keys(value).length > 0, `empty: give at least one of ${Object.keys(fields).join(', ')}`);
}

const distinguishedName = plainText.max(64);

export const subject = notEmpty({
  commonName: distinguishedName.optional(),
  organization: distinguishedName.optional(),
  organizationalUnit: distinguishedName.optional(),
})
  .describe('Distinguished name of the certificates. That of a leaf must match a filter of its namespaces.')
  .meta({ examples: [{ organization: 'My Company' }] });

const pattern = plainText.max(256);

export const certificateFilter = notEmpty({
  commonName: pattern.optional(),
  organization: pattern.optional(),
  organizationalUnit: pattern.optional(),
  subjectAlternativeName: pattern.optional(),
})
  .refine(
    (value) => Object.values(value).every((text) => /^(\*?[^*]+|[^*]+\*)$/.test(text ?? 'x')),
    'a * stands where it may not: write one at the beginning or at the end, never alone',
  )
  .describe('All fields that are given must match; one * may stand at the beginning or the end for any text.')
  .meta({ examples: [{ commonName: 'my-worker' }] });

export const dnsName = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    'not a DNS name: write one such as worker.example.com or *.example.com',
  )
  .meta({ examples: ['worker.example.com'] });

export const keyAlgorithms = z.enum(['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096']);

export const keyAlgorithm = keyAlgorithms.default('P-384').describe('Key of the certificates.');
