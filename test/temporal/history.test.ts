import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import proto from '@temporalio/proto';
import { foldHistory } from '../../src/temporal/history.js';

const { EventType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** The events of a history, numbered, a second apart. */
function fold(...events: HistoryEvent[]) {
  return foldHistory(
    events.map((event, index) => ({ ...event, eventId: (index + 1) as never, eventTime: { seconds: index as never } })),
  );
}

const started = (attributes: HistoryEvent['workflowExecutionStartedEventAttributes'] = {}): HistoryEvent => ({
  eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  workflowExecutionStartedEventAttributes: attributes,
});
const signaled: HistoryEvent = {
  eventType: EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  workflowExecutionSignaledEventAttributes: {},
};
const taskScheduled: HistoryEvent = {
  eventType: EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
  workflowTaskScheduledEventAttributes: {},
};

describe('safety 37: what a history shows is counted as the price list says', () => {
  it('who started it', () => {
    const parent = { parentWorkflowExecution: { workflowId: 'parent' } };
    const schedule = { searchAttributes: { indexedFields: { TemporalScheduledById: {} } } };
    assert.equal(fold(started()).actions, 1);
    assert.equal(fold(started(parent)).actions, 2);
    assert.equal(fold(started(schedule)).actions, 3);
    assert.equal(fold(started({ ...parent, continuedExecutionRunId: 'run' })).actions, 1);
  });

  it('a signal that came with the start, and one that came later', () => {
    assert.equal(fold(started(), signaled, taskScheduled).actions, 1);
    assert.equal(fold(started(), taskScheduled, signaled).actions, 2);
  });

  it('a reset, and a workflow task that only failed', () => {
    const failed = (cause: number): HistoryEvent => ({
      eventType: EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
      workflowTaskFailedEventAttributes: { cause },
    });
    const { WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW: reset } = WorkflowTaskFailedCause;
    const { WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE: bug } = WorkflowTaskFailedCause;
    assert.equal(fold(started(), failed(reset)).actions, 2);
    assert.equal(fold(started(), failed(bug)).actions, 1);
  });

  it('local activities, and other markers', () => {
    const marker = (markerName: string): HistoryEvent => ({
      eventType: EventType.EVENT_TYPE_MARKER_RECORDED,
      markerRecordedEventAttributes: { markerName, workflowTaskCompletedEventId: 4 as never },
    });
    assert.equal(fold(started(), marker('core_local_activity'), marker('core_local_activity')).actions, 2);
    assert.equal(fold(started(), marker('core_patch')).actions, 1);
  });

  it('retries of an activity; its heartbeats are bounded apart', () => {
    const told = fold(
      started(),
      {
        eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        activityTaskScheduledEventAttributes: {
          activityType: { name: 'removeCa' },
          heartbeatTimeout: { seconds: 1 as never },
        },
      },
      { eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, activityTaskStartedEventAttributes: { attempt: 3 } },
      {
        eventType: EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        activityTaskCompletedEventAttributes: { scheduledEventId: 2 as never },
      },
    );
    assert.deepEqual([told.actions, told.heartbeatsAtMost], [4, 3]);
  });
});
