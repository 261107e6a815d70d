import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { signedBy } from '../../src/x509/read.js';
import { runActivity } from '../support/activity-run.js';
import { aWorld, booking, type World } from '../support/fakes.js';

const day = 86_400_000;
const ids = { target: 'worker', rotation: 'run' };

describe('restoreTarget', () => {
  let world: World;
  let previous: KeyPair;
  beforeEach(async () => {
    world = await aWorld();
    previous = world.target.pair!;
  });

  /** Delivers a new leaf over the previous pair. */
  async function deliver(): Promise<KeyPair> {
    const { entry } = await runActivity(world, 'issueLeaf', ids).result;
    await runActivity(world, 'updateTarget', { ...ids, entry }).result;
    return world.target.pair!;
  }

  const restore = (rolledOut = true) => runActivity(world, 'restoreTarget', { ...ids, rolledOut }).result;
  const left = () => [...world.keystore.entries.keys()].filter((name) => !/^(ca|authority)\./.test(name));

  it('puts the previous pair back, rolls it out, and leaves nothing in the keystore', async () => {
    await deliver();
    const { line, restored } = await restore();
    assert.equal(restored, true);
    assert.equal(world.target.pair!.certificate.fingerprint, previous.certificate.fingerprint);
    assert.deepEqual(world.target.rollouts, [previous.certificate.fingerprint]);
    assert.match(line, /The previous pair of worker, leaf \w{8}, is back/);
    assert.deepEqual(left(), []);
  });

  it('safety 43: a pair whose key leaked does not go back: a fresh leaf does', async () => {
    await deliver();
    const { line } = await runActivity(world, 'restoreTarget', { ...ids, rolledOut: true, leaked: true }).result;
    assert.match(line, /could not go back: its key leaked\. It has a fresh leaf/);
    assert.notEqual(world.target.pair!.certificate.fingerprint, previous.certificate.fingerprint);
  });

  it('restarts nothing where nothing was restarted', async () => {
    await deliver();
    await restore(false);
    assert.equal(world.target.pair!.certificate.fingerprint, previous.certificate.fingerprint);
    assert.deepEqual(world.target.rollouts, []);
  });

  it('does nothing where there was no pair before, and says that nothing was restored', async () => {
    world.target.pair = undefined;
    const first = await deliver();
    const { line, restored } = await restore();
    assert.equal(restored, false);
    assert.equal(world.target.pair!.certificate.fingerprint, first.certificate.fingerprint);
    assert.deepEqual(world.target.rollouts, []);
    assert.match(line, /Nothing was to be put back/);
  });

  it('run twice, it has the same outcome', async () => {
    await deliver();
    world.target.before = (verb) => {
      if (verb === 'rollOut') throw new RotationError('KubernetesUnavailable', 'planted.');
    };
    await assert.rejects(restore(), { type: 'KubernetesUnavailable', nonRetryable: false });
    world.target.before = () => undefined;
    await restore();
    assert.equal(world.target.pair!.certificate.fingerprint, previous.certificate.fingerprint);
    assert.deepEqual(world.target.rollouts, [previous.certificate.fingerprint]);
    assert.deepEqual(left(), []);
  });

  describe('safety 44: a run that was terminated or reset had replaced the pair', () => {
    const dead = { target: 'worker', rotation: 'dead' };
    let entry: string;
    beforeEach(async () => {
      ({ entry } = await runActivity(world, 'issueLeaf', dead).result);
      await runActivity(world, 'updateTarget', { ...dead, entry }).result;
    });

    async function assertPrevious(rolledOut?: boolean): Promise<void> {
      const { line, restored } = await restore(rolledOut);
      assert.equal(restored, true, line);
      assert.equal(world.target.pair!.certificate.fingerprint, previous.certificate.fingerprint);
      assert.deepEqual(world.target.rollouts, [previous.certificate.fingerprint]);
      assert.deepEqual(left(), []);
    }

    it('the run after the reset goes on with its leaf, fails, and puts the previous pair back', async () => {
      await runActivity(world, 'updateTarget', { ...ids, entry }).result;
      await assertPrevious();
    });

    it('the next run fails: what was never proved does not go back, the pair before it does', async () => {
      await deliver();
      await assertPrevious();
    });

    it('it is rolled out also where this run restarted nothing: how far the dead one came, nobody knows', async () => {
      await assertPrevious(false);
    });
  });

  describe('safety 32: a previous pair that works no more is refused; a fresh leaf of the signing CA goes in, and that is said', () => {
    async function assertFresh(reason: RegExp, signer: KeyPair): Promise<void> {
      const replaced = world.target.pair!;
      const { line } = await restore();
      const { certificate } = world.target.pair!;
      assert.ok(signedBy(certificate, signer.certificate));
      for (const other of [previous, replaced]) assert.notEqual(certificate.fingerprint, other.certificate.fingerprint);
      assert.deepEqual(world.target.rollouts, [certificate.fingerprint]);
      assert.match(line, reason);
      assert.match(line, /a fresh leaf \w{8} of the signing CA/);
      assert.deepEqual(left(), []);
    }

    it('its CA is being removed', async () => {
      const next = await movedUnderneath();
      await assertFresh(/could not go back: its CA is being removed/, next);
    });

    it('its CA has left the bundle', async () => {
      const next = await movedUnderneath();
      const trust = world.cloud.namespaces.get(booking)!;
      world.cloud.namespaces.set(booking, { ...trust, bundle: [next.certificate] });
      await assertFresh(/could not go back: booking\.acct does not trust its CA/, next);
    });

    it('it has expired', async () => {
      previous = await world.leafOf(world.old, { lifetimeMs: day });
      world.target.pair = previous;
      await deliver();
      world.clockOffsetMs = 2 * day;
      await assertFresh(/could not go back: it expired at/, world.old);
    });

    it('safety 16: the namespace refuses it', async () => {
      await deliver();
      world.probe.answer = (leaf) =>
        leaf.certificate.fingerprint === previous.certificate.fingerprint
          ? { outcome: 'refused', layer: 'rpc', reason: 'filtered' }
          : undefined;
      await assertFresh(/could not go back: .*refused \(rpc\): filtered/, world.old);
    });

    /** A new leaf over the previous pair, and then a CA rotation that has come as far as the removal. */
    async function movedUnderneath(): Promise<KeyPair> {
      await deliver();
      const { pair } = world.target;
      const next = await world.moved();
      world.target.pair = pair;
      return next;
    }
  });

  it('safety 16: when no leaf is admitted nothing is delivered or restarted', async () => {
    const delivered = await deliver();
    world.probe.answer = () => ({ outcome: 'refused', layer: 'tls', reason: 'unknown ca' });
    await assert.rejects(restore(), { type: 'ProbeRefused', nonRetryable: true });
    assert.equal(world.target.pair!.certificate.fingerprint, delivered.certificate.fingerprint);
    assert.deepEqual(world.target.rollouts, []);
  });

  it('waits for an answer where nobody answers: silence is no refusal', async () => {
    await deliver();
    world.probe.answer = () => ({ outcome: 'unreachable', reason: 'ECONNREFUSED' });
    await assert.rejects(restore(), { type: 'ProbeUnreachable', nonRetryable: false });
    assert.ok(left().includes(entries.previous('worker', 'run')), 'the previous pair is lost');
  });
});
