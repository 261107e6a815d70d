import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countActions, heartbeatsAtMost, type CountedEvent } from '../../src/domain/actions.js';

const started: CountedEvent = { type: 'WorkflowExecutionStarted' };

describe('safety 37: actions are counted by the rules of the price list', () => {
  const cases: [string, CountedEvent[], number][] = [
    ['a start is one', [started], 1],
    ['a child is two', [{ ...started, startedBy: 'parent' }], 2],
    ['a firing of a schedule is three, its workflow included', [{ ...started, startedBy: 'schedule' }], 3],
    ['a continuation as new is one', [{ ...started, continued: true }], 1],
    [
      'a continuation of what a parent or a schedule had started is one, too',
      [
        { ...started, startedBy: 'parent', continued: true },
        { ...started, startedBy: 'schedule', continued: true },
      ],
      2,
    ],
    ['an activity is one', [{ type: 'ActivityTaskScheduled' }, { type: 'ActivityTaskStarted', attempt: 1 }], 1],
    [
      'each retry of an activity is one more',
      [{ type: 'ActivityTaskScheduled' }, { type: 'ActivityTaskStarted', attempt: 3 }],
      3,
    ],
    [
      'all local activities of one workflow task are one',
      [
        { type: 'MarkerRecorded', localActivityOf: 4 },
        { type: 'MarkerRecorded', localActivityOf: 4 },
        { type: 'MarkerRecorded', localActivityOf: 9 },
      ],
      2,
    ],
    ['other markers are free', [{ type: 'MarkerRecorded' }], 0],
    ['a Nexus operation is one, for its caller', [{ type: 'NexusOperationScheduled' }], 1],
    ['a timer is one', [{ type: 'TimerStarted' }, { type: 'TimerFired' }], 1],
    ['a signal is one', [{ type: 'WorkflowExecutionSignaled' }], 1],
    ['a signal with start is one together', [started, { type: 'WorkflowExecutionSignaled', withStart: true }], 1],
    [
      'an accepted update is one',
      [{ type: 'WorkflowExecutionUpdateAccepted' }, { type: 'WorkflowExecutionUpdateCompleted' }],
      1,
    ],
    ['an update with start is two together', [started, { type: 'WorkflowExecutionUpdateAccepted' }], 2],
    ['an upsert of search attributes is one', [{ type: 'UpsertWorkflowSearchAttributes' }], 1],
    ['a reset is one', [{ type: 'WorkflowTaskFailed', reset: true }], 1],
    [
      'workflow tasks are free, those that fail included',
      ['WorkflowTaskScheduled', 'WorkflowTaskStarted', 'WorkflowTaskCompleted', 'WorkflowTaskFailed'].map((type) => ({
        type,
      })),
      0,
    ],
    [
      'an end is free, and so is what a child reports to its parent',
      ['StartChildWorkflowExecutionInitiated', 'ChildWorkflowExecutionStarted', 'WorkflowExecutionCompleted'].map(
        (type) => ({ type }),
      ),
      0,
    ],
  ];
  for (const [promise, events, actions] of cases) it(promise, () => assert.equal(countActions(events), actions));

  it('heartbeats are bounded apart: the first, then one per 80% of the heartbeat timeout', () => {
    assert.equal(heartbeatsAtMost([{ seconds: 600 }]), 0);
    assert.equal(heartbeatsAtMost([{ seconds: 5, heartbeatTimeoutSeconds: 60 }]), 1);
    assert.equal(heartbeatsAtMost([{ seconds: 96, heartbeatTimeoutSeconds: 60 }]), 3);
    assert.equal(
      heartbeatsAtMost([
        { seconds: 5, heartbeatTimeoutSeconds: 60 },
        { seconds: 420, heartbeatTimeoutSeconds: 30 },
      ]),
      1 + 18,
    );
  });
});
