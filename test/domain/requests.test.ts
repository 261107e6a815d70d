import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCaRequest, parseLeafRequest, parseScheduledRequest } from '../../src/domain/requests.js';

describe('requests from people', () => {
  it('the one-line inputs of the README are read', () => {
    assert.deepEqual(parseCaRequest({ authority: 'booking' }), { authority: 'booking' });
    assert.deepEqual(parseLeafRequest({ target: 'worker' }), { target: 'worker' });
    assert.deepEqual(parseLeafRequest({ target: 'worker', ca: 'ab', onlyWhenDue: true }), {
      target: 'worker',
      ca: 'ab',
      onlyWhenDue: true,
    });
    assert.deepEqual(parseScheduledRequest(undefined), {});
    assert.deepEqual(parseScheduledRequest({ targets: ['a', 'b'] }), { targets: ['a', 'b'] });
  });

  it('fields that nobody asked for do not travel on', () => {
    assert.deepEqual(parseCaRequest({ authority: 'booking', skipProofs: true }), { authority: 'booking' });
  });

  it('safety 24: what could be an option, a path or a second line is no name', () => {
    for (const name of ['', '-x', '--help', 'a/b', '../a', 'a b', 'a\n', 'A', 'a-', '.a', 'a'.repeat(201)]) {
      assert.equal(typeof parseCaRequest({ authority: name }), 'string', name);
      assert.equal(typeof parseLeafRequest({ target: name }), 'string', name);
      assert.equal(typeof parseLeafRequest({ target: 'worker', ca: name }), 'string', name);
      assert.equal(typeof parseScheduledRequest({ targets: [name] }), 'string', name);
    }
  });

  it('whatever else is sent is a problem in words, never an exception', () => {
    fc.assert(
      fc.property(fc.anything(), (payload) => {
        for (const parse of [parseCaRequest, parseLeafRequest]) assert.equal(typeof parse(payload), 'string');
        assert.ok(parseScheduledRequest(payload));
      }),
    );
    assert.equal(parseLeafRequest({ target: 'worker', onlyWhenDue: 'yes' }), '"onlyWhenDue" must be true or false');
    assert.equal(parseScheduledRequest({ targets: 'worker' }), '"targets" must be a list of names');
  });
});
