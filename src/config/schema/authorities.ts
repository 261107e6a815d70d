import { z } from 'zod';
import { name, positiveDuration, secretReference, temporalNamespace } from '../fields.js';
import { keyAlgorithm, keyAlgorithms, subject } from './certificates.js';
import { approval, client } from './people.js';
import { program } from './program.js';

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

export const authority = z
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
