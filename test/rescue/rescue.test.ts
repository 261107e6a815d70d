import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Connection } from '@temporalio/client';
import { parseConfig } from '../../src/config/load.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { claimRescue } from '../../src/rescue/claim.js';
import { startLocalTemporal } from '../../src/rescue/local-temporal.js';
import { refuseUnlessLockedOut } from '../../src/rescue/needed.js';
import { rescue } from '../../src/rescue/rescue.js';
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
  // No test that fails leaves a claim behind that is renewed for ever.
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  const claimant = (by: string, at: number) => ({
    authority: 'booking',
    by,
    now: () => new Date(at),
    lost: () => undefined,
  });

  const holder = async (keystore: FakeKeystore) =>
    ((await keystore.get(entries.rescue('booking')))?.record as { by: string } | undefined)?.by;

  it('a second one is refused and told who is at it; after the first it may', async () => {
    const keystore = new FakeKeystore();
    const first = await claimRescue(keystore, claimant('ada', 0));
    for (const by of ['bob', 'ada'])
      await assert.rejects(claimRescue(keystore, claimant(by, 1)), { type: 'RescueRunning', message: /^ada rescues/ });
    await first.release();
    await (await claimRescue(keystore, claimant('bob', 2))).release();
    assert.equal(await keystore.get(entries.rescue('booking')), undefined);
  });

  it('one that died lapses; should it wake up, the claim of whoever took over stays', async () => {
    const keystore = new FakeKeystore();
    const dead = await claimRescue(keystore, claimant('ada', 0));
    const next = await claimRescue(keystore, claimant('bob', 5 * 60_000 + 1));
    await dead.release();
    assert.equal(await holder(keystore), 'bob');
    await next.release();
    assert.equal(await keystore.get(entries.rescue('booking')), undefined);
  });

  describe('goes on as long as nobody else has it:', () => {
    let keystore: FakeKeystore;
    let time: number;
    let lost: Error | undefined;
    const ada = () => ({
      authority: 'booking',
      by: 'ada',
      now: () => new Date(time),
      lost: (error: Error) => void (lost = error),
    });
    beforeEach(() => {
      [keystore, time, lost] = [new FakeKeystore(), 0, undefined];
    });

    /** Time passes, and what falls due meanwhile is done. */
    async function pass(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= 5000) {
        time += 5000;
        mock.timers.tick(5000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const minutes = 60_000;
    const expiresAt = () => Date.parse(keystore.entries.get(entries.rescue('booking'))!.expiresAt!);

    it('it is renewed, so that it never lapses', async () => {
      const claim = await claimRescue(keystore, ada());
      await pass(30 * minutes);
      assert.ok(expiresAt() > time);
      await claim.release();
      await pass(30 * minutes);
      assert.equal(await holder(keystore), undefined, 'claimed again after it was released');
    });

    it('the answer of a renewal that was lost is no loss', async () => {
      const update = keystore.update.bind(keystore);
      let answersLost = 0;
      keystore.update = async (...entry) => {
        await update(...entry);
        throw new RotationError('KeystoreUnavailable', `planted ${(answersLost += 1)}.`);
      };
      const claim = await claimRescue(keystore, ada());
      await pass(2 * minutes);
      assert.ok(answersLost > 1, 'it was not tried again');
      keystore.update = update;
      await pass(2 * minutes);
      assert.equal(lost, undefined);
      assert.ok(expiresAt() > time);
      await claim.release();
    });

    it('one that lapsed in an outage is taken again', async () => {
      const claim = await claimRescue(keystore, ada());
      const get = keystore.get.bind(keystore);
      keystore.get = () => Promise.reject(new RotationError('KeystoreUnavailable', 'planted.'));
      await pass(10 * minutes);
      assert.ok(expiresAt() < time);
      keystore.get = get;
      await pass(minutes);
      assert.equal(lost, undefined);
      assert.ok(expiresAt() > time);
      await claim.release();
    });

    it('but not once somebody else took it over', async () => {
      const claim = await claimRescue(keystore, ada());
      const get = keystore.get.bind(keystore);
      keystore.get = () => Promise.reject(new RotationError('KeystoreUnavailable', 'planted.'));
      await pass(10 * minutes);
      keystore.get = get;
      const bob = await claimRescue(keystore, { ...ada(), by: 'bob' });
      await pass(minutes);
      assert.match((lost as Error | undefined)?.message ?? '', /^bob rescues booking already/);
      await claim.release();
      assert.equal(await holder(keystore), 'bob');
      await bob.release();
    });
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

describe('safety 24: a rescue', () => {
  it('hands the API key to no address that the shell does not grant, and starts nothing', async () => {
    const loaded = parseConfig(
      `version: 1
temporal: {}
cloud: { kind: ops-api, address: "elsewhere.example:443", apiKey: { env: NOT_NEEDED } }
keystore: { kind: kubernetes, allowPlaintext: true }
namespaces: { booking.acct: {} }
authorities: { booking: { subject: { organization: Booking }, namespaces: [booking.acct] } }
targets: {}
`,
      'rotation.yaml',
      '/',
    );
    const person = { authority: 'booking', who: 'ada', why: 'nobody saw the notices' };
    const { signal } = new AbortController();
    const what = { ...person, temporal: { path: '/nowhere/temporal' }, audit: () => undefined, signal };
    await assert.rejects(
      rescue({ ...loaded, file: 'rotation.yaml' }, what, () => assert.fail('it was started')),
      { type: 'NotGranted' },
    );
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
