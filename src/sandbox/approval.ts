import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Evidence } from '../domain/evidence.js';
import { tellIfKnown } from '../temporal/history.js';

/**
 * The digest of the evidence once the CA rotation asks a person; undefined when it ended without. It need not have started
 * yet.
 */
export async function untilApprovalIsAsked(client: Client, workflowId: string): Promise<string | undefined> {
  for (;;) {
    const told = await tellIfKnown(client, workflowId);
    if (told && told.outcome !== 'running') return undefined;
    // People are told of the question beside it.
    const last = told?.steps.findLast(({ activity }) => activity !== 'notify');
    if (told?.waiting && last?.activity === 'gatherEvidence' && last.state === 'done')
      return (told.results['gatherEvidence'] as Evidence).digest;
    await wait(500);
  }
}
