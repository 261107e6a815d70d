import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RotationError } from '../../src/domain/failures.js';
import type { Target } from '../../src/targets/target.js';
import { runActivity } from '../support/activity-run.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 23: who must approve a removal', () => {
  it('is planned as the configuration says, without the keys', async () => {
    const world = await aWorld();
    const planned = async () =>
      (await runActivity(world, 'resolveCaRotation', { authority: 'booking' }).result).approval;
    assert.deepEqual([(await planned()).secondPerson, 'approvers' in (await planned())], [false, false]);
    const approvers = { ann: { publicKey: 'of ann' }, bob: { publicKey: 'of bob' } };
    Object.assign(world.config.authorities['booking']!.approval, { secondPerson: true, approvers });
    const { secondPerson, approvers: names } = await planned();
    assert.deepEqual([secondPerson, names], [true, ['ann', 'bob']]);
  });
});

describe('safety 33: the target of the rotation worker itself goes after the canaries, alone, whatever its rollout', () => {
  let world: World;
  beforeEach(async () => {
    const target = (name: string, more: object = {}) => ({
      authority: 'booking',
      namespace: 'booking',
      secret: `${name}-tls`,
      subject: { commonName: name },
      ...more,
    });
    const own = [{ namespace: booking, name: 'cert-rotation' }];
    const targets = {
      rotation: target('rotation', { taskQueues: own }),
      canary: target('canary', { canary: true }),
      worker: target('worker'),
      reloads: target('reloads', { rollout: 'none' }),
    };
    world = await aWorld({ config: { targets } });
  });

  const order = async () => {
    const { canaries, alone, others } = await runActivity(world, 'resolveCaRotation', { authority: 'booking' }).result;
    return { canaries, alone, others };
  };

  it('where its pods are said to poll the rotation task queue', async () => {
    assert.deepEqual(await order(), { canaries: ['canary'], alone: ['rotation', 'reloads'], others: ['worker'] });
  });

  it('where its Secret holds the leaf that this worker presents', async () => {
    world.config.targets['rotation']!.taskQueues = [];
    assert.deepEqual((await order()).alone, ['reloads']);
    const { pair } = world.target;
    const withoutPair: Pick<Target, 'read'> = { read: async () => undefined };
    Object.assign(world.deps, {
      ownCertificate: async () => pair!.certificate,
      target: (name: string) => (name === 'rotation' ? world.target : withoutPair),
    });
    assert.deepEqual((await order()).alone, ['rotation', 'reloads']);
  });

  it('a Secret that cannot be read ends nothing: preflight names it', async () => {
    Object.assign(world.deps, { ownCertificate: async () => world.target.pair!.certificate });
    world.target.before = () => {
      throw new RotationError('KubernetesForbidden', 'planted.');
    };
    assert.deepEqual((await order()).others, ['worker']);
  });
});
