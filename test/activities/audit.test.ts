import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { brokenLink } from '../../src/audit-journal.js';
import type { RotationRecord } from '../../src/domain/audit.js';
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

  const events = () => world.audited.map(({ event, subject }) => [event, subject]);
  const authority = 'authority/booking';
  const namespace = `namespace/${booking}`;

  it('a CA that is made and trusted: what was before and after, the operation, the run and the configuration', async () => {
    const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
    const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
    await runActivity(world, 'trustCa', step).result;
    assert.deepEqual(events(), [
      ['authorityChanged', authority],
      ['trustChanged', namespace],
    ]);
    const [issued, trusted] = world.audited;
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
  });

  it('nothing where nothing was changed', async () => {
    await runActivity(world, 'widenFilters', { authority: 'booking', namespace: booking, rotation: 'run' }).result;
    await runActivity(world, 'keepBothCas', { authority: 'booking' }).result;
    assert.deepEqual(world.audited, []);
  });

  it('a leaf that is delivered, once', async () => {
    const before = world.target.pair!.certificate.fingerprint;
    const { entry, certificate } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
    for (let attempt = 0; attempt < 2; attempt += 1)
      await runActivity(world, 'updateTarget', { target: 'worker', entry, rotation: 'run' }).result;
    assert.deepEqual(events(), [['leafDelivered', 'target/worker']]);
    assert.deepEqual([world.audited[0]!.before, world.audited[0]!.after], [before, certificate.fingerprint]);
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
      ['trustChanged', namespace],
      ['authorityChanged', authority],
      ['keyDestroyed', authority],
    ]);
    const { who, identity, evidence } = world.audited[0]!;
    assert.deepEqual([who, identity, evidence], ['ann', 'claimed', what.approval.decision.evidence]);
    assert.deepEqual(world.audited[3]!.before, { entry: entries.ca('booking', what.old) });
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
      const [{ event, after }] = world.audited as unknown as [{ event: string; after: { record: string } }];
      assert.deepEqual([event, after.record], ['rotationEnded', (await records())[0]!.hash]);
    });

    it('once per run', async () => {
      await record();
      await record();
      assert.equal((await records()).length, 1);
      assert.equal(world.audited.length, 1);
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
