import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { FailureType } from '../../../src/domain/failures.js';
import { always, fails, fingerprints, generation, namespace, planned, untilSettled, type CloudWorld } from './world.js';

/** What the cloud answers when it does not do what it is asked. */
export function errorAnswers(world: CloudWorld): void {
  const { bundle, change, open } = world;

  describe('every error answer is a named failure, and nothing was changed', () => {
    const answers: [string, status, FailureType, string][] = [
      ['forbidden', status.PERMISSION_DENIED, 'CloudForbidden', 'request unauthorized'],
      ['rate limited', status.RESOURCE_EXHAUSTED, 'CloudRateLimited', 'too many requests'],
      ['unavailable', status.UNAVAILABLE, 'CloudUnavailable', 'try again'],
      ['expired key', status.UNAUTHENTICATED, 'CloudUnauthenticated', 'invalid api key'],
      ['not found', status.NOT_FOUND, 'CloudNotFound', 'namespace not found'],
    ];
    for (const [name, code, type, details] of answers) {
      for (const method of ['GetNamespace', 'UpdateNamespace']) {
        it(`${name} on ${method}`, async () => {
          world.api.faults.push({ method, code, details, when: 'before', times: always });
          const before = world.store.get(namespace);
          await assert.rejects(change({ add: [world.two] }), (error: Error) => {
            assert.ok(error.message.includes(details), error.message);
            return fails(type)(error);
          });
          assert.deepEqual(world.store.get(namespace), before);
        });
      }
    }

    it('an operation that cannot be read is not said to have changed nothing', async () => {
      world.operationMs = untilSettled;
      const failing = change(
        { add: [world.two] },
        {
          onProgress: () =>
            world.api.faults.push({
              method: world.row.operationMethod,
              code: status.UNAVAILABLE,
              when: 'before',
              times: always,
            }),
        },
      );
      await assert.rejects(failing, (error: Error) => {
        assert.doesNotMatch(error.message, /nothing was changed/i);
        return fails('CloudUnavailable')(error);
      });
    });

    it('a namespace that cannot be read again is not said to be unchanged', async () => {
      world.onEffect = () =>
        world.api.faults.push({ method: 'GetNamespace', code: status.UNAVAILABLE, when: 'before', times: always });
      await assert.rejects(change({ add: [world.two] }), (error: Error) => {
        assert.doesNotMatch(error.message, /nothing was changed/i);
        return fails('CloudUnavailable')(error);
      });
      assert.deepEqual(bundle(), fingerprints(world.one, world.two));
    });

    it('a wrong API key', async () => {
      const stranger = await open({ apiKey: 'wrong' });
      const before = world.store.get(namespace);
      const changing = stranger.changeTrust(namespace, planned({ add: [world.two] }), { generation });
      await assert.rejects(changing, (error: Error) => {
        assert.doesNotMatch(error.message, /wrong/);
        return fails('CloudUnauthenticated')(error);
      });
      await stranger.close();
      assert.deepEqual(world.store.get(namespace), before);
    });

    it('a namespace that is not there', () =>
      assert.rejects(world.cloud.readNamespace('elsewhere.acct1'), fails('CloudNotFound')));

    it('a server that is not there', async () => {
      await world.api.stop();
      await assert.rejects(world.cloud.readNamespace(namespace), fails('CloudUnavailable'));
    });

    it('a bundle that the server refuses, in its words', async () => {
      const lone = { bundle: [world.one, world.expired], filters: [] };
      await assert.rejects(
        world.cloud.changeTrust(namespace, () => lone, { generation }),
        (error: Error) => {
          assert.match(error.message, /invalid ca certificate: 2 errors occurred/);
          return fails('CloudRejectedBundle')(error);
        },
      );
      assert.deepEqual(bundle(), fingerprints(world.one));
    });
  });
}
