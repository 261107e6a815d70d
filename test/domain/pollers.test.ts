import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isOfPod } from '../../src/domain/pollers.js';

describe('safety 19: the identity of a poller names its pod as a whole word', () => {
  const cases: [string, string, boolean][] = [
    ['1@worker-1', 'worker-1', true],
    ['1@worker-10', 'worker-1', false],
    ['1@my-worker-1', 'worker-1', false],
    ['booking/worker-1/42', 'worker-1', true],
    ['worker-1', 'worker-1', true],
    ['1@worker-1.workers.booking.svc.cluster.local', 'worker-1', true],
    ['1@other.worker-1', 'worker-1', false],
    ['1@worker-7f9c-x2k4p@booking', 'worker-7f9c-x2k4p', true],
    ['1@workerX1', 'worker.1', false],
    ['1@worker-1', '', false],
  ];
  for (const [identity, pod, named] of cases)
    it(`${identity} is ${named ? '' : 'not '}of ${pod || 'a pod without a name'}`, () =>
      assert.equal(isOfPod(identity, pod), named));
});
