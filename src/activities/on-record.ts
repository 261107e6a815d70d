import { Context } from '@temporalio/activity';
import type { AuditContext, AuditFacts } from '../domain/audit.js';
import type { Dependencies } from './dependencies.js';

/**
 * Makes a change and puts on record that it begins, and that it is done. Of a worker that is killed in between the record
 * says what it was about to do; whoever finds the change made then says `foundOnRecord`.
 */
export async function onRecord<Result>(
  deps: Dependencies,
  facts: AuditFacts,
  change: () => Promise<Result>,
): Promise<Result> {
  deps.audit({ ...facts, stage: 'begins', ...auditContext(deps) });
  const result = await change();
  deps.audit({ ...facts, stage: 'done', ...auditContext(deps) });
  return result;
}

/** Nothing is left to change: an attempt before this one may have changed it, and died before it could say so. */
export function foundOnRecord(deps: Dependencies, facts: AuditFacts): void {
  if (Context.current().info.attempt > 1) deps.audit({ ...facts, stage: 'found', ...auditContext(deps) });
}

/** Which run does it, and with what configuration. */
export function auditContext({ configDigest }: Dependencies): AuditContext {
  const { workflowExecution, activityType } = Context.current().info;
  const { workflowId, runId } = workflowExecution ?? {};
  return {
    ...(workflowId && { workflowId }),
    ...(runId && { runId }),
    activity: activityType,
    configuration: configDigest,
  };
}
