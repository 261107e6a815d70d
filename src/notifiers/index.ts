import type { DestinationStream } from 'pino';
import { z } from 'zod';
import type { SecretReference } from '../config/fields.js';
import { printable } from '../domain/notification.js';
import { createLogNotifier, logSchema } from './log.js';
import type { Notifier } from './notifier.js';
import { createSlackNotifier, slackSchema } from './slack.js';
import { createSmtpNotifier, smtpSchema } from './smtp.js';
import { createWebhookNotifier, webhookSchema, type WebhookPlace } from './webhook.js';

export const notifierSchema = z.discriminatedUnion('kind', [smtpSchema, webhookSchema, slackSchema, logSchema]);

export type NotifierConfig = z.infer<typeof notifierSchema>;

/** `name` is what errors call it; `log` is where the kind `log` writes, standard output unless it is given. */
export function createNotifier(name: string, config: NotifierConfig, log?: DestinationStream): Notifier {
  const notifier = ofKind(name, config, log);
  return { send: (notification) => notifier.send(printable(notification)) };
}

function ofKind(name: string, config: NotifierConfig, log: DestinationStream | undefined): Notifier {
  switch (config.kind) {
    case 'smtp':
      return createSmtpNotifier(name, config);
    case 'webhook':
      return createWebhookNotifier(name, config);
    case 'slack':
      return createSlackNotifier(name, config);
    case 'log':
      return createLogNotifier(name, log);
  }
}

/** The references of a notifier, by their key. */
export function notifierReferences(config: NotifierConfig): Readonly<Record<string, SecretReference>> {
  switch (config.kind) {
    case 'smtp':
      return config.auth ? { 'auth.password': config.auth.password } : {};
    case 'webhook':
      return webhookReferences(config);
    case 'slack':
      return { url: config.url };
    case 'log':
      return {};
  }
}

export function webhookReferences(
  place: Pick<WebhookPlace, 'url' | 'secret'> | undefined,
): Readonly<Record<string, SecretReference>> {
  return {
    ...(place && typeof place.url !== 'string' && { url: place.url }),
    ...(place?.secret && { secret: place.secret }),
  };
}
