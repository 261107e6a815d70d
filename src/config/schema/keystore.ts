import { z } from 'zod';
import { kubernetesNamespace, secretReference } from '../fields.js';

export const keystore = z
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
