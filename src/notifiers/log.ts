import { pino, type DestinationStream } from 'pino';
import { z } from 'zod';
import { everyNotifier } from './fields.js';
import type { Notifier } from './notifier.js';

export const logSchema = z.strictObject({ kind: z.literal('log'), ...everyNotifier });

const levels = { info: 'info', warning: 'warn', critical: 'error' } as const;

/** Notifier `log`: one structured line on standard output, for those who alert on logs. */
export function createLogNotifier(notifier: string, destination: DestinationStream = pino.destination({ sync: true })) {
  const log = pino({ name: 'cert-rotation-notification' }, destination);
  return {
    async send({ severity, title, ...fields }) {
      log[levels[severity]]({ notifier, ...fields }, title);
      return { warnings: [] };
    },
  } satisfies Notifier;
}
