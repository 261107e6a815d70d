import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { entries } from '../../src/domain/ids.js';
import { runActivity } from '../support/activity-run.js';
import { approvedRemoval } from '../support/approved.js';
import { eventsOf } from '../support/audited.js';
import { aWorld, booking, type World } from '../support/fakes.js';

describe('safety 27: every change is put on record where it is made', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const authority = 'authority/booking';
  const namespace = `namespace/${booking}`;

  it('a CA that is made and trusted: what was before and after, the operation, the run and the configuration', async () => {
    const { ca } = await runActivity(world, 'issueCa', { authority: 'booking', rotation: 'run' }).result;
    const step = { authority: 'booking', namespace: booking, ca: ca.fingerprint, rotation: 'run' };
    await runActivity(world, 'trustCa', step).result;
    assert.deepEqual(eventsOf(world), [
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
    assert.deepEqual(eventsOf(world), [
      ['trustChanged', namespace, 'begins'],
      ['trustChanged', namespace, 'done'],
    ]);
  });

  it('a leaf that is delivered, once', async () => {
    const before = world.target.pair!.certificate.fingerprint;
    const { entry, certificate } = await runActivity(world, 'issueLeaf', { target: 'worker', rotation: 'run' }).result;
    for (let attempt = 0; attempt < 2; attempt += 1)
      await runActivity(world, 'updateTarget', { target: 'worker', entry, rotation: 'run' }).result;
    assert.deepEqual(eventsOf(world), [
      ['leafDelivered', 'target/worker', 'begins'],
      ['leafDelivered', 'target/worker', 'done'],
    ]);
    assert.deepEqual([world.audited[0]!.before, world.audited[0]!.after], [before, certificate.fingerprint]);
  });

  it('workloads that are restarted, once; none where nothing is restarted', async () => {
    const leaf = await world.leafOf(world.old);
    const delivery = await world.target.deliver(leaf);
    for (let run = 0; run < 2; run += 1) await runActivity(world, 'rollOut', { target: 'worker', delivery }).result;
    assert.deepEqual(eventsOf(world), [
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
    assert.deepEqual(eventsOf(world), [
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
});
