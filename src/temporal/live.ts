import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';

/** An activity under way, as the server knows it. */
export interface Pending {
  readonly activity: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** The line of its last heartbeat. */
  readonly progress?: string;
  /** Why the attempt before this one failed. */
  readonly lastFailure?: string;
}

const answerWithinMs = 2000;

/** The activities under way (DescribeWorkflowExecution: not a billed action, needs no worker). */
export async function pendingActivities(client: Client, workflowId: string): Promise<readonly Pending[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return (raw.pendingActivities ?? []).map((activity) => {
    const progress = lineOf(activity.heartbeatDetails?.payloads?.[0]);
    return {
      activity: activity.activityType?.name ?? '',
      attempt: activity.attempt ?? 1,
      ...(progress && { progress }),
      ...(activity.lastFailure?.message && { lastFailure: activity.lastFailure.message }),
    };
  });
}

function lineOf(payload: unknown): string | undefined {
  if (!payload) return undefined;
  const { line } = (defaultPayloadConverter.fromPayload(payload as Payload) ?? {}) as { line?: unknown };
  return typeof line === 'string' ? line : undefined;
}

/**
 * What the workflow says of itself (Markdown: phase, what it waits for, what is proved, what to do next), by the metadata
 * query, which is not a billed action. Undefined when no worker answers in two seconds.
 */
export async function currentDetails(client: Client, workflowId: string): Promise<string | undefined> {
  try {
    const metadata = await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflow.getHandle(workflowId).query<{ currentDetails?: string }>('__temporal_workflow_metadata'),
    );
    return metadata.currentDetails ?? '';
  } catch {
    return undefined;
  }
}
