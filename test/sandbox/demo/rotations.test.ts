import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endedSteps } from '../../../src/sandbox/demo/rotations.js';
import type { Step } from '../../../src/temporal/history.js';

const step = (summary: string, second: number, seconds?: number): Step => ({
  phase: 'test',
  activity: summary,
  summary,
  state: seconds === undefined ? 'running' : 'done',
  startedAt: new Date(second * 1000).toISOString(),
  ...(seconds !== undefined && { seconds }),
});

describe('what the demo says of a rotation', () => {
  it('are the steps that have ended, its own and those of its leaves, in the order in which they ended', () => {
    const own = { id: 'ca/booking', steps: [step('prove', 0, 5), step('sign', 20, 1), step('wait', 21)] };
    const leaves = [
      { id: 'leaf/one', steps: [step('read', 6, 1), step('roll', 7, 12)] },
      { id: 'leaf/other', steps: [step('inspect', 8, 1), step('issue', 20)] },
    ];
    assert.deepEqual(
      endedSteps(own, leaves).map(({ line }) => line),
      [
        '  test       prove (5 s)',
        '    test       read (1 s)',
        '    test       inspect (1 s)',
        '    test       roll (12 s)',
        '  test       sign (1 s)',
      ],
    );
  });
});
