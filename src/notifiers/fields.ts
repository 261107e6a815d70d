import { z } from 'zod';
import { duration, units } from '../config/fields.js';
import { notificationEvents } from '../domain/notification.js';

/** A message that is not taken in this time has failed, and is tried again. */
export const messageTimeout = duration
  .refine((ms) => ms > 0 && ms <= units.m, 'out of range: give more than nothing and at most 1m')
  .prefault('30s');

/** What every kind of notifier is configured with. */
export const everyNotifier = {
  /** What it tells. Default: everything but `leafDone`, because a daily renewal that went well is no news. */
  events: z.array(z.enum(notificationEvents)).default(notificationEvents.filter((event) => event !== 'leafDone')),
  timeout: messageTimeout,
};
