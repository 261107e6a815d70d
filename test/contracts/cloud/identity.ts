import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { CloudIdentity } from '../../../src/domain/cloud-key.js';
import { always, fails, namespace, type CloudWorld } from './world.js';

/** Whose the API key is. */
export function identity(world: CloudWorld): void {
  describe('safety 24: says whose the API key is, when it ends and what it may do', () => {
    const expiryTime = { seconds: Date.parse('2027-01-02T03:04:05Z') / 1000 };
    const roles = { accountAccess: { role: 4 }, namespaceAccesses: { [namespace]: { permission: 1 } } };
    const scoped = { namespace: 'billing.acct1', access: { permission: 3 } };
    const answers: Readonly<Record<string, [answer: object, told: CloudIdentity]>> = {
      'of a service account': [
        {
          serviceAccount: { id: 'one', spec: { name: 'rotation', access: roles } },
          principalApiKey: { spec: { expiryTime } },
        },
        {
          kind: 'service account',
          name: 'rotation',
          keyExpires: '2027-01-02T03:04:05.000Z',
          accountRole: 'finance admin',
          permissions: { [namespace]: 'admin' },
        },
      ],
      'of a service account for one namespace': [
        { serviceAccount: { id: 'one', spec: { name: 'rotation', namespaceScopedAccess: scoped } } },
        { kind: 'service account', name: 'rotation', permissions: { 'billing.acct1': 'read' } },
      ],
      'of a person': [
        { user: { id: 'one', spec: { email: 'ada@example.com', access: { accountAccess: { role: 99 } } } } },
        { kind: 'user', name: 'ada@example.com', accountRole: 'unknown', permissions: {} },
      ],
      'of somebody of whom only the id is told': [
        { serviceAccount: { id: 'one' } },
        { kind: 'service account', name: 'one', permissions: {} },
      ],
    };
    for (const [whose, [identity, told]] of Object.entries(answers))
      it(whose, async () => {
        await world.stop();
        await world.start({ identity });
        assert.deepEqual(await world.cloud.identity(), told);
      });

    it('nobody, where the cloud does not answer that', async () => {
      world.api.faults.push({ method: 'GetCurrentIdentity', code: status.UNIMPLEMENTED, when: 'before' });
      assert.equal(await world.cloud.identity(), undefined);
    });

    it('a named failure, where it cannot be asked', async () => {
      world.api.faults.push({ method: 'GetCurrentIdentity', code: status.UNAVAILABLE, when: 'before', times: always });
      await assert.rejects(world.cloud.identity(), fails('CloudUnavailable'));
    });
  });
}
