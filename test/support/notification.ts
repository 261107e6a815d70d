import { randomUUID } from 'node:crypto';
import type { Notification } from '../../src/domain/notification.js';

export function aNotification(fields: Partial<Notification> = {}): Notification {
  return {
    id: randomUUID(),
    event: 'approvalWanted',
    severity: 'warning',
    at: '2026-11-24T06:00:00.000Z',
    title: 'CA of temporal-booking: approve the removal of CA 1a2b3c4d',
    lines: ['Every target is on CA 5e6f7a8b', 'Nobody known uses CA 1a2b3c4d'],
    commands: ['cert-rotation approve temporal-booking --who <you> --why <reason>'],
    workflow: { workflowId: 'ca/temporal-booking', runId: 'run-1' },
    ...fields,
  };
}
