import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { secretReference, type SecretReference } from '../config/fields.js';
import { resolveSecret } from '../config/references.js';
import { RotationError } from '../domain/failures.js';
import type { Notification } from '../domain/notification.js';
import { everyNotifier } from './fields.js';
import { post, urlOrReference } from './http.js';
import type { Notifier } from './notifier.js';

/** Where a webhook is, and how its messages are signed. */
export const webhookPlace = {
  url: urlOrReference,
  /** Signs every message: 24 to 64 bytes in base64, with or without `whsec_` before them. Absent: not signed. */
  secret: secretReference.optional(),
};

export const webhookSchema = z.strictObject({ kind: z.literal('webhook'), ...webhookPlace, ...everyNotifier });

/** A place as the configuration has it. */
export interface WebhookPlace {
  readonly url: z.infer<typeof urlOrReference>;
  readonly secret?: SecretReference | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Notifier `webhook`: JSON, signed as Standard Webhooks (standardwebhooks.com) says, so that receivers find a library. */
export function createWebhookNotifier(notifier: string, config: z.infer<typeof webhookSchema>): Notifier {
  return {
    async send(notification) {
      await postSigned(notifier, config, { id: notification.id, body: JSON.stringify(payload(notification)) });
      return { warnings: [] };
    },
  };
}

/** One message, signed where there is a secret; `id` is the same for every attempt. Throws as a notifier does. */
export async function postSigned(
  name: string,
  { url, secret, timeout }: WebhookPlace,
  { id, body }: { readonly id: string; readonly body: string },
): Promise<void> {
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = secret && sign(keyOf(name, await resolveSecret(secret)), `${id}.${timestamp}.${body}`);
  await post({
    notifier: name,
    url,
    body,
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(signature && { 'webhook-signature': signature }),
    },
    timeoutMs: timeout,
  });
}

/** Version 1, described in docs/notifications.md. A field may be added to it; any other change makes a version 2. */
function payload({ id, event, at, severity, title, lines, commands, workflow, certificates }: Notification): object {
  return {
    version: 1,
    id,
    type: event,
    timestamp: at,
    data: { severity, title, lines, commands, ...(workflow && { workflow }), ...(certificates && { certificates }) },
  };
}

function sign(key: Buffer, content: string): string {
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
}

function keyOf(notifier: string, secret: string): Buffer {
  const text = secret.replace(/^whsec_/, '');
  const key = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]+=*$/.test(text) || key.length < 24 || key.length > 64) {
    throw new RotationError('ReferenceUnreadable', `The secret of ${notifier} is not 24 to 64 bytes in base64.`);
  }
  return key;
}
