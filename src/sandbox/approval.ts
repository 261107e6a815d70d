import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { tell } from '../temporal/history.js';

/** True once the CA rotation asks a person; false when it ended without. */
export async function untilApprovalIsAsked(client: Client, workflowId: string): Promise<boolean> {
  for (;;) {
    const { steps, waiting, outcome } = await tell(client, workflowId);
    if (outcome !== 'running') return false;
    if (waiting && steps.at(-1)?.activity === 'gatherEvidence' && steps.at(-1)?.state === 'done') return true;
    await wait(500);
  }
}
