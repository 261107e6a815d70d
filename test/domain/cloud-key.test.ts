import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeKey, type CloudIdentity } from '../../src/domain/cloud-key.js';

const until = new Date('2026-06-01T00:00:00Z');
const namespaces = ['booking.acct', 'orders.acct'];
const identity: CloudIdentity = {
  kind: 'service account',
  name: 'rotation',
  keyExpires: '2026-06-01T00:00:00.001Z',
  accountRole: 'read',
  permissions: { 'booking.acct': 'admin', 'orders.acct': 'admin' },
};
const state = 'Nothing was changed';
const judge = (change: object = {}) => judgeKey({ ...identity, ...change }, { namespaces, until, state });

describe('safety 24: the API key of the cloud', () => {
  it('safety 24: with just what it needs there is nothing to warn of', () =>
    assert.deepEqual(judge(), ['the API key of service account rotation lasts until 2026-06-01T00:00:00.001Z']));

  it('safety 24: one that ends at that very moment is refused', () =>
    assert.throws(() => judge({ keyExpires: until.toISOString() }), {
      type: 'CloudKeyExpires',
      message:
        /^Nothing was changed: .* ends at 2026-06-01T00:00:00\.000Z, and the rotation may need it until 2026-06-01T00:00:00\.000Z/,
    }));

  it('safety 24: one that may only read or write a namespace is refused, unless its role administers all of them', () => {
    for (const permission of ['read', 'write']) {
      const permissions = { ...identity.permissions, 'orders.acct': permission };
      assert.throws(() => judge({ permissions }), { type: 'CloudForbidden', message: /may only \w+ orders\.acct/ });
      assert.equal(judge({ permissions, accountRole: 'admin' }).length, 2);
    }
  });

  it('safety 24: what is not told is no reason to refuse: a role of one’s own may allow it', () =>
    assert.equal(judge({ permissions: {}, accountRole: undefined }).length, 1));

  const warnings: Readonly<Record<string, [change: object, warning: RegExp]>> = {
    'a person’s key': [{ kind: 'user', name: 'ada@example.com' }, /user ada@example\.com is a person's/],
    'an owner of the account': [{ accountRole: 'owner' }, /more than it needs: it is owner of the account/],
    'one that makes namespaces': [{ accountRole: 'developer' }, /it is developer of the account/],
    'one that pays': [{ accountRole: 'finance admin' }, /it is finance admin of the account/],
    'a role of tomorrow': [{ accountRole: 'unknown' }, /it is unknown of the account/],
    'another namespace': [
      { permissions: { ...identity.permissions, 'billing.acct': 'read' } },
      /it reaches billing\.acct, too/,
    ],
  };
  for (const [what, [change, warning]] of Object.entries(warnings))
    it(`safety 24: warns of ${what}`, () => assert.match(judge(change).slice(1).join(), warning));
});
