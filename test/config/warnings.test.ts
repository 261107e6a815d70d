import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { warningsOf } from '../../src/config/warnings.js';

const example = fileURLToPath(new URL('../../examples/temporal-booking/rotation.yaml', import.meta.url));
const namespace = 'temporal-booking.sdvdw';

describe('a configuration that works and leaves more to trust than it need is warned of', () => {
  let config: Config;
  before(async () => {
    ({ config } = await loadConfig(example));
  });

  const keysOf = (rotationNamespace: string, target: object = {}) => {
    const changed = structuredClone({ ...config });
    Object.assign(changed.targets['booking-worker']!, target);
    return warningsOf(changed, rotationNamespace).map(({ path }) => path.join('.'));
  };

  it('safety 23: application workers that share the namespace of the rotations', () => {
    assert.deepEqual(keysOf(namespace), ['targets.booking-worker.taskQueues.0.namespace']);
    assert.deepEqual(keysOf('rotations.sdvdw'), []);
    const own = { taskQueues: [{ namespace, name: config.temporal.taskQueue }] };
    assert.deepEqual(keysOf(namespace, own), [], 'the rotation worker itself is no application');
    const second = {
      taskQueues: [
        { namespace: 'other.sdvdw', name: 'first' },
        { namespace, name: 'second' },
      ],
    };
    assert.deepEqual(keysOf(namespace, second), ['targets.booking-worker.taskQueues.1.namespace']);
  });

  it('safety 20: a target that polls nothing which is looked at; one that reloads must report', () => {
    assert.deepEqual(keysOf('rotations.sdvdw', { taskQueues: [] }), ['targets.booking-worker']);
    assert.deepEqual(keysOf('rotations.sdvdw', { taskQueues: [], rollout: 'none' }), []);
  });
});
