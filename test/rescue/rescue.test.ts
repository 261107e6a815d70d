import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Connection } from '@temporalio/client';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { claimRescue } from '../../src/rescue/claim.js';
import { startLocalTemporal } from '../../src/rescue/local-temporal.js';
import { refuseUnlessLockedOut } from '../../src/rescue/needed.js';
import { findTool } from '../../src/sandbox/tools/index.js';
import { FakeKeystore, aWorld, type World } from '../support/fakes.js';

describe('safety 42: a rescue begins only where nobody is let in', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });
  const needed = () => refuseUnlessLockedOut(world.deps, 'booking');

  it('not while a target is', () =>
    assert.rejects(needed(), { type: 'RescueNotNeeded', message: /admits the leaf \w{8} of worker/ }));

  it('nor while nobody can tell', () => {
    world.probe.answer = () => ({ outcome: 'unreachable', reason: 'no route' });
    return assert.rejects(needed(), { type: 'ProbeUnreachable' });
  });

  it('once every target is refused', async () => {
    world.probe.answer = () => ({ outcome: 'refused', layer: 'tls', reason: 'certificate expired' });
    await needed();
  });
});

describe('safety 42: one rescue at a time, by the keystore', () => {
  const claimant = (by: string, at: number) => ({
    authority: 'booking',
    by,
    now: () => new Date(at),
    lost: () => undefined,
  });

  it('a second one is refused and told who is at it; after the first it may', async () => {
    const keystore = new FakeKeystore();
    const first = await claimRescue(keystore, claimant('ada', 0));
    await assert.rejects(claimRescue(keystore, claimant('bob', 1)), { type: 'RescueRunning', message: /^ada rescues/ });
    await first.release();
    await (await claimRescue(keystore, claimant('bob', 2))).release();
    assert.equal(await keystore.get(entries.rescue('booking')), undefined);
  });

  it('one that died lapses; should it wake up, the claim of whoever took over stays', async () => {
    const keystore = new FakeKeystore();
    const dead = await claimRescue(keystore, claimant('ada', 0));
    const next = await claimRescue(keystore, claimant('bob', 5 * 60_000 + 1));
    await dead.release();
    assert.deepEqual((await keystore.get(entries.rescue('booking')))?.record, { by: 'bob' });
    await next.release();
    assert.equal(await keystore.get(entries.rescue('booking')), undefined);
  });

  it('of two that begin at once one gets it', async () => {
    const keystore = new FakeKeystore();
    const ends = await Promise.allSettled(['ada', 'bob'].map((by) => claimRescue(keystore, claimant(by, 0))));
    const refused = ends.filter((end) => end.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(refused[0]!.reason instanceof RotationError);
    for (const end of ends) if (end.status === 'fulfilled') await end.value.release();
  });
});

describe('safety 26: the Temporal of a rescue', () => {
  it('is the program that was named, and gone when it is stopped', async () => {
    const server = await startLocalTemporal({ path: await findTool('temporal') }, 'booking.acct');
    const connection = await Connection.connect({ address: server.address });
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'booking.acct' });
    assert.equal(namespaceInfo?.name, 'booking.acct');
    await connection.close();
    await server.stop();
    await assert.rejects(Connection.connect({ address: server.address, connectTimeout: 500 }));
  });

  it('is never searched for', async () => {
    const named = (path: string) => startLocalTemporal({ path }, 'booking.acct');
    await assert.rejects(named('temporal'), { type: 'ToolMissing' });
    await assert.rejects(named('/nowhere/temporal'), { type: 'ToolMissing' });
    await assert.rejects(named(process.execPath), { type: 'ToolUnsuitable' });
  });

  it('is not run where its file has another SHA-256', async () => {
    const program = { path: await findTool('temporal'), sha256: '0'.repeat(64) };
    await assert.rejects(startLocalTemporal(program, 'booking.acct'), { type: 'ToolUnsuitable' });
  });
});
