import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Evidence } from '../domain/evidence.js';
import { tell } from '../temporal/history.js';

/** The digest of the evidence once the CA rotation asks a person; undefined when it ended without. */
export async function untilApprovalIsAsked(client: Client, workflowId: string): Promise<string | undefined> {
  for (;;) {
    const { steps, waiting, outcome, results } = await tell(client, workflowId);
    if (outcome !== 'running') return undefined;
    if (waiting && steps.at(-1)?.activity === 'gatherEvidence' && steps.at(-1)?.state === 'done')
      return (results['gatherEvidence'] as Evidence).digest;
    await wait(500);
  }
}
