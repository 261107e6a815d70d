import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, it } from 'node:test';
import type { Removal } from '../../src/activities/removal.js';
import { signedText, type Decision } from '../../src/domain/approval.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { signText } from '../../src/x509/detached-signature.js';
import { PrivateKey } from '../../src/x509/private-key.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aCa, aWorld, type World } from '../support/fakes.js';

const kinds = {
  Ed25519: generateKeyPairSync('ed25519'),
  ECDSA: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const publicKey = (kind: keyof typeof kinds) => kinds[kind].publicKey.export({ type: 'spki', format: 'pem' }) as string;
const evidence = 'e'.repeat(64);
const gatheredAt = '2026-11-29T09:00:00.000Z';

/** What this person's key signed, under whatever name it is sent. */
const signature = (
  kind: keyof typeof kinds,
  signed: { evidence: string; gatheredAt?: string; who: string; why: string },
) => signText(signedText('booking', { gatheredAt, ...signed }), new PrivateKey(kinds[kind].privateKey));

describe('an approval counts for so long, and the removal looks', () => {
  const hour = 3_600_000;
  let world: World;
  let next: KeyPair;
  const removing = (decide: (decision: Decision) => Decision, more: Partial<Removal> = {}) => {
    const { approval, ...removal } = approvedRemoval(world, next);
    return runActivity(world, 'removeCa', {
      ...removal,
      ...more,
      approval: { ...approval, decision: decide(approval.decision) },
    }).result;
  };
  const ago = (age: number) => (decision: Decision) => ({
    ...decision,
    at: new Date(world.deps.now().getTime() - age).toISOString(),
  });
  const stale = { type: 'EvidenceChanged', message: /Nothing was removed: ann approved at .*counts for \d+ h/ };
  const begin = async (...options: Parameters<typeof aWorld>) => {
    world = await aWorld(...options);
    next = await world.moved();
  };
  const isRemoved = () => assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);

  it('as long as the configuration says', async () => {
    await begin({ authority: { approval: { validFor: '3h' } } });
    await assert.rejects(removing(ago(3 * hour + 60_000)), stale);
    assert.equal(world.bundle().length, 2);
    await removing(ago(3 * hour - 60_000));
    isRemoved();
  });

  it('or else as long as the windows may make it wait, and a day', async () => {
    await begin();
    await assert.rejects(removing(ago(25 * hour)), stale);
    await begin({ config: { windows: { removals: [{ days: ['sun'], from: '02:00', to: '06:00' }] } } });
    await removing(ago(25 * hour));
    isRemoved();
  });

  it('whose removal has begun in another namespace counts on: it would only go back there', async () => {
    await begin({ authority: { approval: { validFor: '3h' } } });
    const earlier = { namespace: 'other.acct', bundle: [], filters: [], removing: [] };
    await removing(ago(99 * hour), { earlier: [earlier] });
    isRemoved();
  });

  it('and for good where nobody was asked: by the policy, or in an emergency', async () => {
    await begin({ authority: { approval: { mode: 'automatic', validFor: '3h' } } });
    await removing(({ at: _never, ...decision }) => ({ ...decision, who: 'policy', identity: 'policy' }));
    isRemoved();
  });
});

describe('safety 23: an approval is verified by the key that the configuration lists', () => {
  let world: World;
  let next: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    next = await world.moved();
    Object.assign(world.config.authorities['booking']!.approval, {
      approvers: { ann: { publicKey: publicKey('Ed25519') }, bob: { publicKey: publicKey('ECDSA') } },
    });
  });

  const verify = async (approval: { who: string; why: string; signature?: string; evidence?: string }) =>
    (await runActivity(world, 'verifyApproval', { authority: 'booking', evidence, gatheredAt, ...approval }).result)
      .objection;

  for (const kind of ['Ed25519', 'ECDSA', 'RSA'] as const)
    it(`${kind}: what the key signed is taken`, async () => {
      Object.assign(world.config.authorities['booking']!.approval, {
        approvers: { ann: { publicKey: publicKey(kind) } },
      });
      const said = { who: 'ann', why: 'all "moved"\n', evidence };
      assert.equal(await verify({ ...said, signature: signature(kind, said) }), undefined);
    });

  const said = { who: 'ann', why: 'all moved', evidence };
  const wrong: Readonly<Record<string, Parameters<typeof verify>[0]>> = {
    'no signature': said,
    'no base64': { ...said, signature: '***' },
    'the key of another approver': { ...said, signature: signature('ECDSA', said) },
    'a key that nobody listed': { ...said, signature: signature('RSA', said) },
    'other evidence': { ...said, signature: signature('Ed25519', { ...said, evidence: 'f'.repeat(64) }) },
    'the same evidence, gathered for an earlier question': {
      ...said,
      signature: signature('Ed25519', { ...said, gatheredAt: '2026-11-20T09:00:00.000Z' }),
    },
    'another reason': { ...said, signature: signature('Ed25519', { ...said, why: 'nothing moved' }) },
    'somebody else’s name': { ...said, signature: signature('Ed25519', { ...said, who: 'bob' }) },
  };
  for (const [what, approval] of Object.entries(wrong))
    it(`${what}: refused`, async () => {
      assert.match((await verify(approval))!, /not of the key that the configuration lists for ann/);
    });

  it('whoever is not listed: refused', async () => {
    for (const who of ['carl', 'constructor'])
      assert.match(
        (await verify({ ...said, who, signature: signature('RSA', { ...said, who }) }))!,
        /none of the approvers/,
      );
  });

  describe('again by the removal, which takes nobody’s word for it', () => {
    const removing = (removal: Removal, decision: Partial<Decision>) =>
      runActivity(world, 'removeCa', {
        ...removal,
        approval: { ...removal.approval, decision: { ...removal.approval.decision, ...decision } },
      }).result;
    const refused = (message: RegExp) => ({ type: 'EvidenceChanged', message });
    const trusted = () => assert.ok(world.bundle().includes(world.old.certificate.fingerprint), 'nothing was removed');
    const signed = (removal: Removal, who: 'ann' | 'bob') => {
      const approval = { who, why: '', evidence: removal.approval.decision.evidence! };
      return { who, why: '', signature: signature(who === 'ann' ? 'Ed25519' : 'ECDSA', approval) };
    };

    it('removes on a signature', async () => {
      const removal = approvedRemoval(world, next);
      await removing(removal, { ...signed(removal, 'ann'), identity: 'verified' });
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
      const approved = world.audited.find(({ event }) => event === 'removalApproved');
      assert.deepEqual([approved?.who, approved?.identity], ['ann', 'verified']);
    });

    it('not on a claim, nor on one that says it was verified', async () => {
      const removal = approvedRemoval(world, next);
      for (const identity of ['claimed', 'verified'] as const)
        await assert.rejects(
          removing(removal, { identity }),
          refused(/Nothing was removed: the signature is not of the key/),
        );
      trusted();
    });

    it('not on a policy that the configuration does not have', async () => {
      const removal = approvedRemoval(world, next);
      await assert.rejects(removing(removal, { identity: 'policy' }), refused(/wants a person to approve/));
      trusted();
    });

    it('but without one where the old CA has expired: it lets nobody in', async () => {
      const { approvers } = world.config.authorities['booking']!.approval;
      const hour = 3_600_000;
      world = await aWorld({ old: await aCa(1, { lifetimeMs: hour }) });
      next = await world.moved();
      world.clockOffsetMs = 2 * hour;
      Object.assign(world.config.authorities['booking']!.approval, { approvers });
      await removing(approvedRemoval(world, next), { identity: 'claimed' });
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });

    it('nor where an expired CA has left with the write that added the new one, and filters are still to narrow', async () => {
      const { approvers } = world.config.authorities['booking']!.approval;
      const hour = 3_600_000;
      const filters = [{ commonName: 'worker' }];
      world = await aWorld({ old: await aCa(1, { lifetimeMs: hour }), filters });
      next = await world.moved();
      world.clockOffsetMs = 2 * hour;
      const trust = world.cloud.namespaces.get('booking.acct')!;
      world.cloud.namespaces.set('booking.acct', { ...trust, bundle: [next.certificate] });
      Object.assign(world.config.authorities['booking']!.approval, { approvers });
      await removing(approvedRemoval(world, next), { identity: 'claimed' });
      assert.deepEqual(world.filters(), filters);
    });

    it('not on one where two are wanted, the same one twice and a forged second one included', async () => {
      Object.assign(world.config.authorities['booking']!.approval, { secondPerson: true });
      const removal = approvedRemoval(world, next);
      const ann = signed(removal, 'ann');
      for (const alone of [ann, { ...ann, seconded: ann }])
        await assert.rejects(removing(removal, { ...alone, identity: 'verified' }), refused(/wants two people/));
      trusted();
      const bob = signed(removal, 'bob');
      const forged = { ...bob, signature: ann.signature };
      const seconded = { ...ann, identity: 'verified', seconded: forged } as const;
      await assert.rejects(removing(removal, seconded), refused(/not of the key .* lists for bob/));
      trusted();
      await removing(removal, { ...seconded, seconded: bob });
      assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
    });
  });
});
