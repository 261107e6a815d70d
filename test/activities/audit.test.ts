import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Activities } from '../../src/activities/index.js';
import { brokenLink } from '../../src/audit-journal.js';
import type { RotationRecord } from '../../src/domain/audit.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { rotationRecords } from '../../src/keystore/rotation-records.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 27: every change is put on record where it is made', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const events = () => world.audited.map(({ event, subject, stage }) => [event, subject, ...(stage ? [stage] : [])]);
  const authority = 'authority/booking';
  const namespace = `namespace/${booking}`;

  it('a CA that is made and trusted: what was before and after, the operation, the run and the configuration', async () => {
    const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
    const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
    await runActivity(world, 'trustCa', step).result;
    assert.deepEqual(events(), [
      ['caMade', authority, 'begins'],
      ['caMade', authority, 'done'],
      ['authorityChanged', authority, 'begins'],
      ['authorityChanged', authority, 'done'],
      ['trustChanged', namespace, 'begins'],
      ['trustChanged', namespace, 'done'],
    ]);
    const [made, issued, trusted] = world.audited.filter(({ stage }) => stage === 'done');
    assert.deepEqual(
      [issued!.before, issued!.after].map((record) => (record as { next?: string }).next),
      [undefined, ca.fingerprint],
    );
    const old = world.old.certificate.fingerprint;
    assert.deepEqual(
      [trusted!.before, trusted!.after],
      [
        { bundle: [old], filters: [] },
        { bundle: [old, ca.fingerprint], filters: [] },
      ],
    );
    assert.equal(trusted!.operationId, 'operation');
    assert.ok(trusted!.workflowId && trusted!.runId);
    assert.deepEqual([trusted!.activity, trusted!.configuration], ['unknown', 'digest']);
    assert.deepEqual(made!.after, { ca: ca.fingerprint });
    const begun = world.audited[4]!;
    assert.deepEqual([begun.before, begun.after], [trusted!.before, trusted!.after]);
  });

  it('nothing where nothing was changed', async () => {
    await runActivity(world, 'widenFilters', { authority: 'booking', namespace: booking, rotation: 'run' }).result;
    await runActivity(world, 'keepBothCas', { authority: 'booking' }).result;
    assert.deepEqual(world.audited, []);
  });

  it('that a change begins, once, though somebody else changed it first and it was decided again', async () => {
    const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
    world.audited.length = 0;
    const change = world.cloud.changeTrust.bind(world.cloud);
    world.cloud.changeTrust = async (name, decide, options) => {
      await decide(await world.cloud.readNamespace(name));
      return change(name, decide, options);
    };
    const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
    await runActivity(world, 'trustCa', step).result;
    assert.deepEqual(events(), [
      ['trustChanged', namespace, 'begins'],
      ['trustChanged', namespace, 'done'],
    ]);
  });

  it('a leaf that is delivered, once', async () => {
    const before = world.target.pair!.certificate.fingerprint;
    const { entry, certificate } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
    for (let attempt = 0; attempt < 2; attempt += 1)
      await runActivity(world, 'updateTarget', { target: 'worker', entry, rotation: 'run' }).result;
    assert.deepEqual(events(), [
      ['leafDelivered', 'target/worker', 'begins'],
      ['leafDelivered', 'target/worker', 'done'],
    ]);
    assert.deepEqual([world.audited[0]!.before, world.audited[0]!.after], [before, certificate.fingerprint]);
  });

  it('workloads that are restarted, once; none where nothing is restarted', async () => {
    const leaf = await world.leafOf(world.old);
    const delivery = await world.target.deliver(leaf);
    for (let run = 0; run < 2; run += 1) await runActivity(world, 'rollOut', { target: 'worker', delivery }).result;
    assert.deepEqual(events(), [
      ['workloadsRestarted', 'target/worker', 'begins'],
      ['workloadsRestarted', 'target/worker', 'done'],
    ]);
    assert.equal(world.audited[0]!.after, leaf.certificate.fingerprint);
    const reloading = await aWorld({ target: { rollout: 'none' } });
    reloading.target.pods.length = 0;
    await runActivity(reloading, 'rollOut', { target: 'worker', delivery }, {}).result;
    assert.deepEqual(reloading.audited, []);
  });

  it('a removal: who approved it, how sure that is, why and on what evidence, before the write; then the destroyed key', async () => {
    const next = await world.moved();
    world.frozenAt = Date.now();
    const what = approvedRemoval(world, next);
    const run = runActivity(world, 'removeCa', what);
    run.onHeartbeat(({ line }) => {
      if (/^watching/.test(String(line))) world.frozenAt! += 100;
    });
    await run.result;
    await runActivity(world, 'finishCa', { authority: 'booking', ca: what.ca }).result;
    assert.deepEqual(events(), [
      ['removalApproved', authority],
      ['trustChanged', namespace, 'begins'],
      ['trustChanged', namespace, 'done'],
      ['authorityChanged', authority, 'begins'],
      ['authorityChanged', authority, 'done'],
      ['keyDestroyed', authority, 'begins'],
      ['keyDestroyed', authority, 'done'],
    ]);
    const { who, identity, decidedAt, evidence } = world.audited[0]!;
    const { decision } = what.approval;
    assert.deepEqual([who, identity, decidedAt, evidence], ['ann', 'claimed', decision.at, decision.evidence]);
    assert.deepEqual(world.audited.at(-1)!.before, { entry: entries.ca('booking', what.old) });
  });

  describe('a worker that is killed between a change and its event loses none:', () => {
    const killed = new Error('killed');
    const die = () => {
      throw killed;
    };
    /** The first attempt dies once `change` is made, the second lives. */
    async function killedOnce<Name extends keyof Activities>(name: Name, input: Parameters<Activities[Name]>[0]) {
      await assert.rejects(runActivity(world, name, input).result, killed);
      return runActivity(world, name, input, {}).result;
    }

    it('a bundle that was written', async () => {
      const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
      world.audited.length = 0;
      world.cloud.afterWrite = die;
      const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
      await killedOnce('trustCa', step);
      assert.deepEqual(events(), [
        ['trustChanged', namespace, 'begins'],
        ['trustChanged', namespace, 'found'],
      ]);
      const [begun, found] = world.audited;
      assert.deepEqual(found!.after, begun!.after);
    });

    it('an old CA that was removed', async () => {
      const next = await world.moved();
      world.frozenAt = Date.now();
      world.cloud.afterWrite = (generation) => (generation.endsWith('/remove') ? die() : undefined);
      const removal = approvedRemoval(world, next);
      await assert.rejects(runActivity(world, 'removeCa', removal).result, killed);
      world.cloud.afterWrite = () => undefined;
      const run = runActivity(world, 'removeCa', removal, {});
      run.onHeartbeat(({ line }) => {
        if (/^watching/.test(String(line))) world.frozenAt! += 100;
      });
      await run.result;
      assert.deepEqual(events(), [
        ['removalApproved', authority],
        ['trustChanged', namespace, 'begins'],
        ['trustChanged', namespace, 'found'],
      ]);
      assert.deepEqual((world.audited[2]!.after as { bundle: string[] }).bundle, [next.certificate.fingerprint]);
    });

    it('a leaf that was delivered', async () => {
      const { entry } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
      const deliver = world.target.deliver.bind(world.target);
      world.target.deliver = async (leaf) => {
        world.target.deliver = deliver;
        await deliver(leaf);
        return die();
      };
      await killedOnce('updateTarget', { target: 'worker', entry, rotation: 'run' });
      assert.deepEqual(events(), [
        ['leafDelivered', 'target/worker', 'begins'],
        ['leafDelivered', 'target/worker', 'found'],
      ]);
    });

    it('a CA that was made', async () => {
      const create = world.keystore.create.bind(world.keystore);
      world.keystore.create = async (...entry) => {
        world.keystore.create = create;
        await create(...entry);
        return die();
      };
      await killedOnce('issueCa', { authority: 'booking', rotation: 'run' });
      assert.deepEqual(events().slice(0, 2), [
        ['caMade', authority, 'begins'],
        ['caMade', authority, 'found'],
      ]);
      assert.deepEqual(world.audited[1]!.after, world.audited[0]!.after);
    });

    it('the record of an authority, and that of how a rotation ended', async () => {
      const create = world.keystore.create.bind(world.keystore);
      const update = world.keystore.update.bind(world.keystore);
      world.keystore.update = async (...entry) => {
        world.keystore.update = update;
        await update(...entry);
        return die();
      };
      await killedOnce('issueCa', { authority: 'booking', rotation: 'run' });
      assert.deepEqual(
        world.audited.splice(0, 2).map(({ event }) => event),
        ['caMade', 'caMade'],
      );
      world.keystore.create = async (...entry) => {
        world.keystore.create = create;
        await create(...entry);
        return die();
      };
      await killedOnce('recordRotation', {
        authority: 'booking',
        startedAt: '2026-11-24T10:00:00.000Z',
        outcome: 'failed',
      });
      assert.deepEqual(events(), [
        ['authorityChanged', authority, 'begins'],
        ['authorityChanged', authority, 'found'],
        ['rotationEnded', authority, 'begins'],
        ['rotationEnded', authority, 'found'],
      ]);
      assert.deepEqual(world.audited[3]!.after, world.audited[2]!.after);
    });

    it('workloads that were restarted', async () => {
      const next = await world.leafOf(world.old);
      const delivery = await world.target.deliver(next);
      const rollOut = world.target.rollOut.bind(world.target);
      world.target.rollOut = async (...given) => {
        world.target.rollOut = rollOut;
        await rollOut(...given);
        die();
      };
      await killedOnce('rollOut', { target: 'worker', delivery });
      assert.deepEqual(events(), [
        ['workloadsRestarted', 'target/worker', 'begins'],
        ['workloadsRestarted', 'target/worker', 'found'],
      ]);
      assert.deepEqual(world.audited[1]!.after, next.certificate.fingerprint);
    });

    describe('a key that was destroyed', () => {
      const destroyed = () => events().filter(([event]) => event === 'keyDestroyed');
      let ca: string;
      let old: string;
      beforeEach(async () => {
        await world.moved();
        ca = world.record().next!;
        old = entries.ca('booking', world.old.certificate.fingerprint);
      });

      it('before its event', async () => {
        const update = world.keystore.update.bind(world.keystore);
        world.keystore.update = async (...entry) => {
          const updated = await update(...entry);
          if (entry[0] !== old) return updated;
          world.keystore.update = update;
          return die();
        };
        await killedOnce('finishCa', { authority: 'booking', ca });
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'found'],
        ]);
        assert.deepEqual(world.audited.at(-1)!.before, { entry: old });
        assert.equal(world.keystore.entries.get(old), undefined);
      });

      it('before what is beside it was removed', async () => {
        const remove = world.keystore.delete.bind(world.keystore);
        world.keystore.delete = async () => {
          world.keystore.delete = remove;
          die();
        };
        await assert.rejects(runActivity(world, 'finishCa', { authority: 'booking', ca }).result, killed);
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'done'],
        ]);
        assert.equal(world.keystore.entries.get(old)?.key, undefined, 'done, and there it is');
      });

      it('of an entry that cannot be read, which goes all the same', async () => {
        const get = world.keystore.get.bind(world.keystore);
        world.keystore.get = async (name) => {
          if (name === old) throw new RotationError('KeystoreUnreadable', 'planted.');
          return get(name);
        };
        await runActivity(world, 'finishCa', { authority: 'booking', ca }).result;
        assert.deepEqual(destroyed(), [
          ['keyDestroyed', authority, 'begins'],
          ['keyDestroyed', authority, 'done'],
        ]);
        assert.equal(world.keystore.entries.get(old), undefined);
      });
    });
  });

  describe('safety 45: how a rotation ended stays beside its authority', () => {
    const end = {
      authority: 'booking',
      startedAt: '2026-11-24T10:00:00.000Z',
      outcome: 'failed',
      reason: 'planted',
    } as const;
    const record = () => runActivity(world, 'recordRotation', end).result;
    const records = () => rotationRecords(world.keystore, 'booking');

    it('with the CAs of the authority, the run and the configuration, and no key', async () => {
      await record();
      const [{ outcome, reason, cas, configuration, runId }] = (await records()) as [RotationRecord];
      assert.deepEqual([outcome, reason, configuration], ['failed', 'planted', 'digest']);
      assert.deepEqual(cas, world.record());
      const entry = world.keystore.entries.get(entries.rotation('booking', runId!))!;
      assert.deepEqual([entry.key, entry.expiresAt, entry.owner], [undefined, undefined, authority]);
      const [, { event, after }] = world.audited as unknown as [unknown, { event: string; after: { record: string } }];
      assert.deepEqual([event, after.record], ['rotationEnded', (await records())[0]!.hash]);
    });

    it('once per run', async () => {
      await record();
      await record();
      assert.equal((await records()).length, 1);
      assert.deepEqual(events(), [
        ['rotationEnded', authority, 'begins'],
        ['rotationEnded', authority, 'done'],
      ]);
    });

    describe('also of one that was cut short, and could not write it', () => {
      /** Temporal knows one run of it. */
      const knows = (...ending: object[]) => {
        const at = (seconds: number) => ({ eventTime: { seconds } });
        const input = { payloads: [defaultPayloadConverter.toPayload({ authority: 'booking', who: 'ada' })] };
        const events = [
          { eventId: 1, ...at(1_000_000), workflowExecutionStartedEventAttributes: { input } },
          ...ending.map((attributes, index) => ({ eventId: index + 2, ...at(1_000_060), ...attributes })),
        ];
        const fetchHistory = async () => ({ events });
        const getHandle = (...run: readonly string[]) => {
          assert.deepEqual(run, ['ca/booking', 'cut']);
          return { fetchHistory };
        };
        world.deps.client = () => ({ workflow: { getHandle } }) as never;
      };
      const recordCutShort = () => runActivity(world, 'recordCutShort', { authority: 'booking', runId: 'cut' }).result;

      it('from what Temporal knows: when, by whom, and why', async () => {
        knows({ workflowExecutionTerminatedEventAttributes: { reason: 'too slow' } });
        await recordCutShort();
        const [{ outcome, reason, startedBy, startedAt, endedAt, runId, workflowId, cas }] = (await records()) as [
          RotationRecord,
        ];
        assert.deepEqual([outcome, reason, startedBy], ['terminated', 'too slow', 'ada']);
        assert.deepEqual([startedAt, endedAt], ['1970-01-12T13:46:40.000Z', '1970-01-12T13:47:40.000Z']);
        assert.deepEqual([workflowId, runId], ['ca/booking', 'cut']);
        assert.deepEqual(cas, world.record());
      });

      it('once, and of one that timed out, too', async () => {
        knows({ workflowExecutionTimedOutEventAttributes: {} });
        await recordCutShort();
        await recordCutShort();
        assert.deepEqual(
          (await records()).map(({ outcome }) => outcome),
          ['timed out'],
        );
      });

      it('nothing of one that runs, or that ended otherwise', async () => {
        knows();
        await recordCutShort();
        knows({ workflowExecutionFailedEventAttributes: {} });
        await recordCutShort();
        assert.deepEqual(await records(), []);
      });

      it('after the records that were written before it, although it ended earlier: the chain stays one', async () => {
        await record();
        knows({ workflowExecutionTerminatedEventAttributes: {} });
        world.clockOffsetMs += 1000;
        await recordCutShort();
        const chain = await records();
        assert.deepEqual(
          chain.map(({ outcome }) => outcome),
          ['failed', 'terminated'],
        );
        assert.equal(brokenLink(chain), undefined);
      });
    });

    it('apart from those of an authority whose name begins with its name', async () => {
      const other = { ...end, outcome: 'cancelled' };
      const owner = 'authority/booking.eu';
      await world.keystore.create(entries.rotation('booking.eu', 'run'), { record: other, owner });
      assert.deepEqual(await records(), []);
    });

    it('each holds the hash of the one before it: a chain', async () => {
      await record();
      const [first] = await records();
      const name = entries.rotation('booking', first!.runId!);
      // The test environment has one run only: the first becomes that of an earlier one.
      const { name: _name, version: _version, ...earlier } = world.keystore.entries.get(name)!;
      await world.keystore.delete(name);
      await world.keystore.create(entries.rotation('booking', 'earlier'), earlier);
      world.clockOffsetMs += 1000;
      await record();
      const chain = await records();
      assert.equal(chain.length, 2);
      assert.equal(chain[1]!.previous, first!.hash);
      assert.equal(brokenLink(chain), undefined);
      assert.match(brokenLink([{ ...chain[0]!, reason: 'another' } as RotationRecord, chain[1]!]) ?? '', /was changed/);
    });
  });
});
