import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientText, nameOf, unknownClients, type KnownClients } from '../../src/domain/clients.js';

const holders = ['booking-worker-7d9f8c6b5-x2x4z', 'ledger-0'];
const starts = (identity: string) => ({ identity, namespace: 'booking.acct', does: 'starts workflows' });
const found = (identities: readonly string[], known: Partial<KnownClients> = {}) =>
  unknownClients(identities.map(starts), { holders, declared: [], ...known }).map(({ name }) => name);

describe('safety 13: a client that was seen and belongs to nobody known', () => {
  it('is named once, with all that it does, whatever its processes are called', () => {
    const seen = [
      starts('7@web-6f7c9d8b4-kq5zw'),
      starts('12@web-6f7c9d8b4-z8k2v'),
      { ...starts('7@web-5b5b7c6d9f-m4xnt@'), does: 'signals workflows' },
      { ...starts('9@web-5b5b7c6d9f-m4xnt'), namespace: 'orders.acct' },
    ];
    const texts = unknownClients(seen, { holders, declared: [] }).map(clientText);
    assert.deepEqual(texts, [
      'web (signals workflows, starts workflows in booking.acct)',
      'web (starts workflows in orders.acct)',
    ]);
  });

  it('is named with when it was seen last, by whichever of its processes', () => {
    const at = (time: string) => ({ ...starts('7@web'), at: `2026-11-20T0${time}:00.000Z` });
    const texts = unknownClients([at('7:00'), at('9:00'), at('8:00'), starts('7@web')], { holders, declared: [] });
    assert.deepEqual(texts.map(clientText), [
      'web (starts workflows in booking.acct, last seen 2026-11-20T09:00:00.000Z)',
    ]);
  });

  for (const [identity, name] of [
    ['temporal-cli:ada@laptop', 'temporal-cli:ada@laptop'],
    ['4711@build-host.example.com', 'build-host.example.com'],
    ['1@nightly-28391234-x2x4z', 'nightly'],
    ['1@ledger-0', 'ledger-0'],
    ['1@gateway@orders', 'gateway'],
    ['1@payment-gateway', 'payment-gateway'],
    ['my-own-identity', 'my-own-identity'],
  ] as const)
    it(`${identity} is ${name}`, () => assert.equal(nameOf(identity), name));

  it('is no pod of a target, and none that its workload replaced', () => {
    assert.deepEqual(found(['1@booking-worker-7d9f8c6b5-x2x4z', '1@ledger-0.ledger.svc']), []);
    assert.deepEqual(found(['31@booking-worker-6c8b7d9f54-mm4np']), []);
    assert.deepEqual(found(['1@booking-worker', '1@ledger-1', '1@booking-7d9f8c6b5-x2x4z']), ['booking', 'ledger-1']);
  });

  it('is none that the configuration declares, by its identity or its name', () => {
    const declared = ['*@ci-runner', 'temporal-cli:*', 'web'];
    assert.deepEqual(found(['88@ci-runner', 'temporal-cli:ada@laptop', '1@web-6f7c9d8b4-kq5zw'], { declared }), []);
    assert.deepEqual(found(['88@ci-runner-2', 'another-web'], { declared }), ['another-web', 'ci-runner-2']);
  });

  it('is none without a name', () => assert.deepEqual(found(['']), []));
});
