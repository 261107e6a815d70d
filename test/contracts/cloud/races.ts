import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { withTrust } from '../../../src/cloud/namespace-spec.js';
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

/** Whoever else changes the namespace meanwhile, and answers that are lost: the re-read decides. */
export function races(world: CloudWorld): void {
  const { bundle, change, editBundle, spec, writes } = world;

  describe('races', () => {
    const codes: [string, status, string][] = [
      ['FAILED_PRECONDITION', status.FAILED_PRECONDITION, 'the namespace was modified'],
      ['ABORTED', status.ABORTED, 'concurrent update'],
      ['INVALID_ARGUMENT', status.INVALID_ARGUMENT, 'the spec was changed by somebody'],
    ];
    for (const [name, code, details] of codes) {
      it(`a lost race is read and decided again, never overwritten: ${name}`, async () => {
        let decisions = 0;
        const { changed } = await world.cloud.changeTrust(
          namespace,
          (current) => {
            decisions += 1;
            if (decisions === 1) {
              editBundle([world.one, world.three]);
              world.api.faults.push({ method: 'UpdateNamespace', code, details, when: 'before' });
            }
            return planned({ add: [world.two] })(current);
          },
          { generation },
        );
        assert.deepEqual([bundle(), decisions, changed], [fingerprints(world.one, world.three, world.two), 2, true]);
      });
    }

    it('the version that was decided on guards the write', async () => {
      const seen: string[] = [];
      await world.cloud.changeTrust(
        namespace,
        (current) => {
          seen.push(current.resourceVersion);
          if (seen.length === 1) editBundle([world.one, world.three]);
          return planned({ add: [world.two] })(current);
        },
        { generation },
      );
      assert.deepEqual([seen, bundle()], [['1', '2'], fingerprints(world.one, world.three, world.two)]);
    });

    it('a race that is lost again and again is CloudConflict, and nothing was overwritten', async () => {
      await assert.rejects(
        world.cloud.changeTrust(
          namespace,
          (current) => {
            editBundle([...current.bundle], [{ commonName: `edit of version ${current.resourceVersion}` }]);
            return planned({ add: [world.two] })(current);
          },
          { generation },
        ),
        fails('CloudConflict'),
      );
      assert.deepEqual(bundle(), fingerprints(world.one));
    });

    it("somebody else's operation is waited for, and its outcome is what is decided on", async () => {
      world.operationMs = untilSettled;
      const { version } = world.store.get(namespace);
      const theirs = withTrust(spec(), { bundle: [world.one, world.three] });
      world.store.update({ namespace, spec: theirs, version: String(version), id: 'theirs' });
      const settleTheirs = (line: string) => {
        assert.match(line, /theirs/);
        world.operationMs = soon;
        world.store.settle('theirs');
      };
      await change({ add: [world.two] }, { onProgress: once(settleTheirs) });
      assert.deepEqual(bundle(), fingerprints(world.one, world.three, world.two));
    });
  });

  describe('lost answers', () => {
    it('lost after the effect: the operation is found and awaited, not sent twice', async () => {
      world.api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'after' });
      const { changed } = await change({ add: [world.two] });
      assert.deepEqual([changed, bundle(), writes()], [true, fingerprints(world.one, world.two), 1]);
    });

    it('lost before the effect: nothing was changed, and the retry is the same operation', async () => {
      world.api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'before' });
      const before = world.store.get(namespace);
      await assert.rejects(change({ add: [world.two] }), fails('CloudUnavailable'));
      assert.deepEqual(world.store.get(namespace), before);
      assert.equal((await change({ add: [world.two] })).changed, true);
    });

    it('safety 10: after a lost answer the re-read decides, not the id', async () => {
      world.api.faults.push({ method: 'UpdateNamespace', code: status.DEADLINE_EXCEEDED, when: 'before' });
      let decisions = 0;
      const { changed } = await world.cloud.changeTrust(
        namespace,
        (current) => {
          decisions += 1;
          if (decisions === 1) editBundle([world.one, world.three, world.two]);
          return planned({ add: [world.two] })(current);
        },
        { generation },
      );
      assert.deepEqual([changed, bundle()], [false, fingerprints(world.one, world.three, world.two)]);
    });
  });
}
