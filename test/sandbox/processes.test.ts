import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startedWhole } from '../../src/sandbox/processes.js';

describe('a start of several things', () => {
  const stopped: string[] = [];
  const thing = (name: string) => ({ stop: async () => void stopped.push(name) });

  it('that fails in the middle stops those that had started, newest first, and says why', async () => {
    const starting = startedWhole(async (stack) => {
      for (const name of ['etcd', 'apiserver']) stack.push(thing(name));
      throw new Error('no room');
    });
    await assert.rejects(starting, { message: 'no room' });
    assert.deepEqual(stopped.splice(0), ['apiserver', 'etcd']);
  });

  it('that succeeds stops nothing', async () => {
    assert.equal(await startedWhole(async (stack) => stack.push(thing('etcd')) && 'started'), 'started');
    assert.deepEqual(stopped, []);
  });
});
