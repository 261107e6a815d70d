import assert from 'node:assert/strict';
import type { Fingerprint } from '../../src/domain/certificate.js';
import { signedBy } from '../../src/x509/read.js';
import type { World } from './fakes.js';

export interface CaRotated {
  /** Runs that it took, each of which has its end on record. */
  readonly runs?: number;
  /** CAs that were made at the most, the first one included. */
  readonly made?: number;
  /** CAs of other people, in the bundle beside ours. */
  readonly others?: readonly Fingerprint[];
}

/** After a CA rotation, the same whatever happened on the way. */
export function caRotated(world: World, { runs = 1, others = [], made = 2 }: CaRotated = {}): void {
  const { generation, current, next, signing, retiring } = world.record();
  assert.deepEqual([generation, next, retiring], [2, undefined, undefined]);
  assert.notEqual(current, world.old.certificate.fingerprint);
  assert.equal(signing, current);
  assert.deepEqual(new Set(world.bundle()), new Set([current, ...others]));
  onOneLeafOf(world, current!, made);
  const records = [...world.keystore.entries.keys()].filter((name) => name.startsWith('rotation.'));
  assert.equal(records.length, runs, 'not every end is on record once');
}

/** After a leaf rotation, the same whatever happened on the way. */
export function leafRotated(world: World): void {
  assert.deepEqual(world.bundle(), [world.old.certificate.fingerprint]);
  onOneLeafOf(world, world.old.certificate.fingerprint, 1);
}

/** No more CAs were made than may be, one new leaf was made and delivered, every pod was restarted onto it once, and no key but the CA's own rests in the keystore. */
function onOneLeafOf({ target, keystore }: World, fingerprint: string, mostCas: number): void {
  const kept = [...keystore.entries.values()];
  const cas = kept.filter(({ name }) => name.startsWith('ca.'));
  assert.deepEqual(
    kept.map(({ name }) => name).filter((name) => !/^(ca|authority|trust|rotation)\./.test(name)),
    [],
  );
  assert.deepEqual(
    cas.map(({ certificate }) => certificate?.fingerprint),
    [fingerprint],
  );
  const made = (kind: string) => keystore.created.filter((name) => name.startsWith(kind)).length;
  assert.ok(made('ca.') <= mostCas, `${made('ca.')} CAs were made`);
  assert.equal(made('leaf.'), 1);
  const delivered = target.pair!.certificate;
  assert.ok(signedBy(delivered, cas[0]!.certificate!));
  assert.deepEqual(target.deliveries, [delivered.fingerprint]);
  assert.deepEqual([...new Set(target.rollouts)], [delivered.fingerprint]);
  assert.deepEqual(
    target.pods.map((pod) => pod.leaf),
    target.pods.map(() => delivered.fingerprint),
  );
}
