import { z } from 'zod';
import { duration, name, plainText, positiveDuration, units } from '../fields.js';

export const approval = z
  .strictObject({
    mode: z
      .enum(['manual', 'automatic'])
      .default('manual')
      .describe('Does a person approve the removal of the old CA? automatic asks one, too, when anything is in doubt.'),
    deadline: positiveDuration.prefault('5d').describe('Nobody decided until then: both CAs stay trusted.'),
    remindEvery: duration
      .refine((ms) => ms >= units.m, 'people would be told all the time: make it at least 1m')
      .prefault('1d'),
    validFor: positiveDuration
      .optional()
      .describe('So long an approval counts (default: as long as windows.removals may make it wait, and a day).'),
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

export const client = z
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
