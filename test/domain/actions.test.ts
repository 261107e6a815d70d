import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countActions, type CountedEvent } from '../../src/domain/actions.js';

describe('safety 37: actions are counted by the rules of the price list', () => {
  const cases: [string, CountedEvent[], number][] = [
    ['a start is one', [{ type: 'WorkflowExecutionStarted' }], 1],
    ['a child is two', [{ type: 'WorkflowExecutionStarted', startedBy: 'parent' }], 2],
    [
      'a firing of a schedule is three, its workflow included',
      [{ type: 'WorkflowExecutionStarted', startedBy: 'schedule' }],
      3,
    ],
    ['an activity is one', [{ type: 'ActivityTaskScheduled' }, { type: 'ActivityTaskStarted', attempt: 1 }], 1],
    [
      'each retry of an activity is one more',
      [{ type: 'ActivityTaskScheduled' }, { type: 'ActivityTaskStarted', attempt: 3 }],
      3,
    ],
    [
      'a timer, a signal, an update and an upsert are one each',
      [
        'TimerStarted',
        'WorkflowExecutionSignaled',
        'WorkflowExecutionUpdateAccepted',
        'UpsertWorkflowSearchAttributes',
      ].map((type) => ({ type })),
      4,
    ],
    ['workflow tasks are free', [{ type: 'WorkflowTaskScheduled' }, { type: 'WorkflowTaskCompleted' }], 0],
  ];
  for (const [promise, events, actions] of cases) it(promise, () => assert.equal(countActions(events), actions));
});
