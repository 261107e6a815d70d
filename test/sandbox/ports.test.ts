import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freePorts } from '../../src/sandbox/ports.js';

describe('free ports', () => {
  it('are different, and below those that systems hand out by themselves: nobody gets one meanwhile by chance', async () => {
    const ports = await freePorts(50);
    assert.equal(new Set(ports).size, 50);
    assert.deepEqual(
      ports.filter((port) => port < 15_000 || port >= 32_768),
      [],
    );
  });
});
