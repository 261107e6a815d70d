import { z } from 'zod';
import { messageTimeout } from '../../notifiers/fields.js';
import { webhookPlace } from '../../notifiers/webhook.js';
import { duration, name } from '../fields.js';
import { cron } from './schedules.js';

export const notices = z
  .strictObject({
    at: z
      .array(duration)
      .prefault(['60d', '30d', '14d', '7d', '3d', '1d'])
      .describe('Time left at which people are told, once each; that a certificate has expired is always told.'),
    cron: cron.default('0 * * * *').describe('When it looks, in the timezone of schedule: hourly.'),
    resume: z
      .boolean()
      .default(true)
      .describe(
        'Does it start a rotation again that was terminated or timed out? Whoever wants one ended aborts or cancels it.',
      ),
    notify: z
      .array(name)
      .optional()
      .describe('Who is told of CAs of nobody here, and of what could not be looked at (default: every notifier).'),
  })
  .prefault({})
  .describe(
    'What the watch over certificates that expire and rotations that were cut short tells and resumes, and when it looks.',
  );

export const audit = z
  .strictObject({
    webhook: z
      .strictObject({ ...webhookPlace, timeout: messageTimeout })
      .optional()
      .describe('Where audit events go, too, beside the log: in their order, each until it is taken.'),
  })
  .prefault({})
  .describe('Where the record of every change goes, beside the log of the worker.');
