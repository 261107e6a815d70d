import type { KeyPair } from '../../src/x509/pair.js';
import { booking, FakeTarget, type World } from './fakes.js';

export const neighbour = 'orders-worker';

/** The target of another authority, `orders`, that uses the same namespace, on a leaf of `ca`: two pods. */
export async function aNeighbour(world: World, ca: KeyPair): Promise<FakeTarget> {
  const { authorities, targets } = world.config;
  const queue = { namespace: booking, name: 'orders' };
  authorities['orders'] = { ...authorities['booking']!, subject: { organization: 'Orders' } };
  targets[neighbour] = { ...targets['worker']!, authority: 'orders', secret: `${neighbour}-tls`, taskQueues: [queue] };
  const target = new FakeTarget(() => world.deps.pollers(queue));
  target.pair = await world.leafOf(ca);
  const leaf = target.pair.certificate.fingerprint;
  for (const name of [`${neighbour}-1`, `${neighbour}-2`]) target.pods.push({ name, leaf, polls: true, ready: true });
  world.others.set(neighbour, target);
  return target;
}
