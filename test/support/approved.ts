import type { Removal, RemovalApproval } from '../../src/activities/removal.js';
import { digestOf } from '../../src/activities/evidence.js';
import { factLines } from '../../src/domain/evidence.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { booking, type World } from './fakes.js';

/** The removal of the world's old CA, approved on what is so now: every target on a leaf of `next`. */
export function approvedRemoval(world: World, next: KeyPair): Removal {
  const { bundle, filters } = world.cloud.namespaces.get(booking)!;
  const chain = [world.old.certificate, ...(world.old.chain ?? [])].map(({ fingerprint }) => fingerprint);
  const removing = bundle.map(({ fingerprint }) => fingerprint).filter((ca) => chain.includes(ca));
  return {
    authority: 'booking',
    before: { namespace: booking, bundle, filters, removing },
    ca: next.certificate.fingerprint,
    old: world.old.certificate.fingerprint,
    rotation: 'run',
    approval: approvalOf(world, next),
  };
}

function approvalOf(world: World, next: KeyPair): RemovalApproval {
  const facts = factLines({
    namespaces: [world.cloud.namespaces.get(booking)!],
    issuers: new Map([['worker', next.certificate.fingerprint]]),
    unknownPollers: [],
    configDigest: world.deps.configDigest,
  });
  const decision = {
    decision: 'approve',
    who: 'ann',
    why: '',
    identity: 'claimed',
    at: world.deps.now().toISOString(),
    evidence: digestOf(facts),
    gatheredAt: '2026-11-29T09:00:00.000Z',
  } as const;
  return { decision, facts, changedByUs: [] };
}
