import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { RotationError } from '../src/domain/failures.js';
import { sight, type SightOptions } from '../src/sight.js';

const own = { options: { namespace: 'ops.acct' } } as Client;

describe('who uses a namespace that the worker itself is not let into', () => {
  const unseen = async () => {
    throw new RotationError('NamespaceUnseen', 'refused.');
  };
  const seeing = (options: Partial<SightOptions>) =>
    sight({ client: () => own, views: { look: async () => undefined }, ownQueue: 'cert-rotation', ...options });
  const queue = { namespace: 'orders.acct', name: 'orders' };
  const seeking = { namespace: 'orders.acct', since: new Date(), knownQueues: [] };

  it('is an error where its own leaf is refused: no proof rests on what nobody saw', async () => {
    await assert.rejects(seeing({ views: { look: unseen } }).pollers(queue), { type: 'NamespaceUnseen' });
  });

  it('and where it trusts no CA of its authority', async () => {
    await assert.rejects(seeing({}).pollers(queue), { type: 'NamespaceUnseen', message: /trusts no CA/ });
  });

  it('is nobody there while all are locked out: then nobody polls', async () => {
    const locked = seeing({ lockedOut: true });
    assert.deepEqual(await locked.pollers(queue), []);
    assert.deepEqual(await locked.pollers({ ...queue, namespace: 'ops.acct' }), []);
  });

  it('is anybody where clients that do not poll cannot be looked for: a person is asked', async () => {
    const [seen] = await seeing({ views: { look: unseen } }).clients(seeking);
    assert.deepEqual(seen, {
      identity: 'anybody',
      namespace: 'orders.acct',
      does: 'cannot be looked for: NamespaceUnseen',
    });
  });

  it('is looked for again where Temporal did not answer', async () => {
    const look = async () => {
      throw new RotationError('TemporalUnreachable', 'no route.');
    };
    await assert.rejects(seeing({ views: { look } }).clients(seeking), { type: 'TemporalUnreachable' });
  });
});
