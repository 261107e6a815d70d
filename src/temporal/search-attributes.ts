import type { Client } from '@temporalio/client';

/**
 * Are `RotationPhase` and `RotationSubject` registered? Asked by a list query that names them: it costs no action, and an
 * unregistered one is refused. Uncheckable counts as unregistered, because an unregistered one hangs a workflow for ever.
 */
export async function searchAttributesRegistered(client: Client): Promise<boolean> {
  try {
    await client.workflowService.listWorkflowExecutions({
      namespace: client.options.namespace,
      pageSize: 1,
      query: 'RotationPhase = "preflight" AND RotationSubject = "x"',
    });
    return true;
  } catch {
    return false;
  }
}
