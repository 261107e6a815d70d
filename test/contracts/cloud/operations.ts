import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ending } from '../../../src/sandbox/cloud/store.js';
import {
  fails,
  fingerprints,
  generation,
  namespace,
  once,
  planned,
  soon,
  untilSettled,
  type CloudWorld,
} from './world.js';

/** An operation is awaited to its end, and sent once. */
export function operations(world: CloudWorld): void {
  const { bundle, change, open, writes } = world;

  describe('operations', () => {
    it('progress is reported while an operation is waited for', async () => {
      world.operationMs = untilSettled;
      const named: string[] = [];
      const settleIt = (line: string) => {
        const id = /operation (\w+)/.exec(line)?.[1];
        if (!id) return;
        named.push(id);
        world.operationMs = soon;
        world.store.settle(id);
      };
      const { operationId } = await change({ add: [world.two] }, { onProgress: settleIt });
      assert.equal(named[0], operationId);
    });

    it('one that never ends is CloudBusy, and the same change sent again waits on for it', async () => {
      world.operationMs = untilSettled;
      await assert.rejects(change({ add: [world.two] }, { operationDeadlineMs: 0 }), fails('CloudBusy'));
      assert.deepEqual(bundle(), fingerprints(world.one));
      const { operation } = world.store.get(namespace);
      const settle = (line: string) => {
        assert.ok(line.includes(operation!), line);
        world.store.settle(operation!);
      };
      await change({ add: [world.two] }, { onProgress: once(settle) });
      assert.deepEqual([writes(), bundle()], [1, fingerprints(world.one, world.two)]);
    });

    it('an abort ends the wait', async () => {
      world.operationMs = untilSettled;
      const controller = new AbortController();
      const waiting = change({ add: [world.two] }, { signal: controller.signal, onProgress: () => controller.abort() });
      await assert.rejects(waiting, { name: 'AbortError' });
    });

    it('safety 10: add, remove, put back, remove are four operations', async () => {
      const ids: (string | undefined)[] = [];
      for (const step of [
        { add: [world.two] },
        { remove: [world.two] },
        { add: [world.two] },
        { remove: [world.two] },
      ]) {
        ids.push((await change(step)).operationId);
      }
      assert.equal(new Set(ids).size, 4);
      assert.deepEqual(bundle(), fingerprints(world.one));
    });

    it('safety 10: the same intent on the same state is the same operation, whoever sends it', async () => {
      world.operationMs = untilSettled;
      const other = await open();
      const controller = new AbortController();
      const abandoned = change(
        { add: [world.two] },
        { signal: controller.signal, onProgress: () => controller.abort() },
      );
      await assert.rejects(abandoned, { name: 'AbortError' });
      world.operationMs = soon;
      world.store.settle(world.store.get(namespace).operation!);
      await other.changeTrust(namespace, planned({ add: [world.two] }), { generation });
      await other.close();
      assert.deepEqual([writes(), bundle()], [1, fingerprints(world.one, world.two)]);
    });

    it('safety 10: FULFILLED without the wanted state is a failure, and the retry is a new operation', async () => {
      world.store.endings.push('NO_EFFECT');
      await assert.rejects(change({ add: [world.two] }), fails('CloudWriteNotEffective'));
      assert.equal((await change({ add: [world.two] })).changed, true);
      assert.deepEqual([bundle(), writes()], [fingerprints(world.one, world.two), 2]);
    });

    for (const ending of ['FAILED', 'REJECTED', 'CANCELLED'] satisfies Ending[]) {
      it(`safety 10: ${ending} is a failure that leaves everything as it was; retried it is a new operation`, async () => {
        const before = world.store.get(namespace);
        world.store.endings.push(ending);
        await assert.rejects(change({ add: [world.two] }), (error: Error) => {
          assert.match(error.message, new RegExp(ending, 'i'));
          return fails('CloudOperationFailed')(error);
        });
        assert.deepEqual(world.store.get(namespace), before);
        const { operationId } = await change({ add: [world.two] });
        assert.deepEqual(
          [bundle(), world.store.operation(operationId!)?.state],
          [fingerprints(world.one, world.two), 'FULFILLED'],
        );
      });
    }
  });
}
