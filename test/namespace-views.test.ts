import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { unmarkRetiring, type AuthorityRecord } from '../src/domain/authority.js';
import type { CertificateFacts } from '../src/domain/certificate.js';
import { RotationError } from '../src/domain/failures.js';
import { entries } from '../src/domain/ids.js';
import { NamespaceViews } from '../src/namespace-views.js';
import type { KeyPair } from '../src/x509/pair.js';
import { signedBy } from '../src/x509/read.js';
import { aWorld, booking, type World } from './support/fakes.js';

describe('a namespace that lets the worker itself not in is looked into with a leaf made for it', () => {
  let world: World;
  let views: NamespaceViews;
  /** Leaves of the connections that were made, and how many of them ended. */
  let leaves: CertificateFacts[];
  let ended: number;
  beforeEach(async () => {
    world = await aWorld();
    [leaves, ended] = [[], 0];
    views = new NamespaceViews(
      () => world.deps,
      async (_endpoint, { certificate }) => {
        leaves.push(certificate);
        return { connection: { close: async () => void (ended += 1) } } as unknown as Client;
      },
    );
  });

  const look = () => views.look(booking, async () => 'seen');
  const by = (index: number, { certificate }: KeyPair) => signedBy(leaves[index]!, certificate);

  async function record(change: (before: AuthorityRecord) => AuthorityRecord): Promise<void> {
    const entry = (await world.keystore.get(entries.authority('booking')))!;
    await world.keystore.update(entry.name, { ...entry, record: change(world.record()) }, entry.version);
  }

  it('of the CA that signs, over one connection for many looks at once', async () => {
    assert.deepEqual(await Promise.all([look(), look(), look()]), ['seen', 'seen', 'seen']);
    assert.equal(await look(), 'seen');
    assert.deepEqual([leaves.length, by(0, world.old)], [1, true]);
  });

  it('of another CA as soon as that signs, and the old connection ends', async () => {
    await look();
    const next = await world.moved();
    await look();
    assert.deepEqual([leaves.length, by(1, next), ended], [2, true, 1]);
  });

  it('of another CA of the authority where the one that signs is not trusted, or is being removed', async () => {
    const next = await world.moved();
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [world.old.certificate] });
    await record(unmarkRetiring);
    await look();
    await look();
    assert.deepEqual([leaves.length, by(0, world.old)], [1, true]);
    world.cloud.namespaces.set(booking, trust);
    const { fingerprint } = world.old.certificate;
    await record((before) => ({ ...before, signing: fingerprint, retiring: fingerprint }));
    await look();
    assert.ok(by(1, next));
  });

  it('with a new leaf before the last one expires', async () => {
    await look();
    world.clockOffsetMs = Date.parse(leaves[0]!.notAfter) - Date.now() - 60_000;
    await look();
    assert.equal(leaves.length, 2);
  });

  it('over a new connection after a look that failed', async () => {
    const failing = views.look(booking, () => Promise.reject(new Error('refused')));
    await assert.rejects(failing, /refused/);
    assert.equal(ended, 1);
    assert.equal(await look(), 'seen');
    assert.equal(leaves.length, 2);
  });

  it('whose end waits for whoever still looks through it', async () => {
    let seen = (_what: string): void => undefined;
    const looking = views.look(booking, () => new Promise<string>((resolve) => (seen = resolve)));
    await assert.rejects(views.look(booking, () => Promise.reject(new Error('refused'))));
    await look();
    await views.close();
    assert.deepEqual([leaves.length, ended], [2, 1]);
    seen('late');
    assert.equal(await looking, 'late');
    assert.equal(ended, 2);
  });

  it('but not as long as it trusts no CA of its authority that is valid: then nobody polls', async () => {
    const trust = world.cloud.namespaces.get(booking)!;
    world.cloud.namespaces.set(booking, { ...trust, bundle: [(await aWorld()).old.certificate] });
    assert.equal(await look(), undefined);
    world.cloud.namespaces.set(booking, trust);
    world.clockOffsetMs = Date.parse(world.old.certificate.notAfter) - Date.now();
    assert.equal(await look(), undefined);
    assert.equal(leaves.length, 0);
  });

  it('but not where its filters match no target: that is told by name, and tried again', async () => {
    const refusing = new NamespaceViews(
      () => world.deps,
      () => Promise.reject(new RotationError('TemporalRefused', 'a filter refuses it.')),
    );
    const refused = refusing.look(booking, async () => 'seen');
    await assert.rejects(refused, { type: 'NamespaceUnseen', retryable: true, message: /a filter refuses it/ });
  });

  it('and no connection is left when it ends', async () => {
    await look();
    await views.close();
    assert.equal(ended, 1);
  });
});
