import { Context } from '@temporalio/activity';
import type { AuditContext } from '../domain/audit.js';
import type { Dependencies } from './dependencies.js';

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
