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
  it('are not given twice, though nobody listens on them yet', async () => {
    const given: number[] = [];
    for (let call = 0; call < 100; call += 1) given.push(...(await freePorts(4)));
    assert.equal(new Set(given).size, given.length);
  });
});
