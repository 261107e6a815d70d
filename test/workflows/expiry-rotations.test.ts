import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import proto from '@temporalio/proto';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId, entries } from '../../src/domain/ids.js';
import { rotationRecords } from '../../src/keystore/rotation-records.js';
import { aLeaf } from '../support/certificates.js';
import { ExpiryWatch, titles } from '../support/expiry-watch.js';
import type { ExpiryWorld } from '../support/expiry-world.js';

const hour = 3_600_000;
const day = 24 * hour;

describe('the watch over expiring certificates', () => {
  let watch: ExpiryWatch;
  before(async () => {
    watch = await ExpiryWatch.begin();
  });
  after(() => watch?.stop());
  beforeEach(() => watch.listen());
  afterEach(() => watch.hangUp());

  /** A CA rotation for which no worker polls: it is terminated before it does anything. */
  function aRotation(...args: object[]) {
    const id = { workflowId: caRotationId('orders'), taskQueue: 'nobody' };
    return watch.tests.env.client.workflow.start('caRotation', { ...id, args });
  }

  describe('starts the rotation of a CA that is due', () => {
    /** A rotation that is at its first step until `end`. */
    function waiting(world: ExpiryWorld): { activities: Activities; end: () => void } {
      let end = (): void => undefined;
      const over = new Promise<never>((_resolve, reject) => (end = () => reject(new Error('the test is over'))));
      over.catch(() => undefined);
      return { activities: { ...world.activities, resolveCaRotation: () => over }, end };
    }

    it('safety 29: under its fixed id, and the rotation outlives the watch; one that runs already is left alone', async (test) => {
      const world = watch.aWorld({ renewBefore: '30d' });
      await world.sign(watch.ca);
      world.moveTo(watch.ca.certificate, 31);
      const rotation = watch.tests.env.client.workflow.getHandle(caRotationId('orders'));
      const { activities, end } = waiting(world);
      // However the test ends: the worker stops only once its activities have.
      test.after(end);
      watch.use(activities);
      assert.deepEqual((await watch.run()).started, []);
      world.moveTo(watch.ca.certificate, 29);
      assert.deepEqual((await watch.run()).started, ['ca/orders']);
      const { events } = await watch.history();
      const child = events?.find((event) => event.startChildWorkflowExecutionInitiatedEventAttributes);
      const { parentClosePolicy } = child?.startChildWorkflowExecutionInitiatedEventAttributes ?? {};
      assert.equal(parentClosePolicy, proto.temporal.api.enums.v1.ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON);
      const { status, runId } = await rotation.describe();
      assert.equal(status.name, 'RUNNING');
      assert.deepEqual((await watch.run()).started, []);
      assert.equal((await rotation.describe()).runId, runId);
      await watch.tests.terminate(rotation);
      assert.match(watch.ops.taken.at(-1)!.body, /its rotation is started now/);
    });

    it('only where the configuration does not say never', async () => {
      const world = watch.aWorld({ renewBefore: 'never' });
      await world.sign(watch.ca);
      world.moveTo(watch.ca.certificate, 1);
      watch.use(world.activities);
      assert.deepEqual((await watch.run()).started, []);
    });
  });

  it('safety 27: tells once of a rotation that was terminated, with the command that goes on, and of the next one again', async () => {
    const world = watch.aWorld({ resume: false });
    await world.sign(watch.ca);
    watch.use(world.activities);
    for (const cut of [1, 2]) {
      const rotation = await aRotation();
      await world.overlap(watch.foreign, rotation.firstExecutionRunId);
      await watch.run();
      assert.equal(watch.ops.taken.length, cut - 1, 'told of a rotation that runs');
      await watch.tests.terminate(rotation);
      await watch.run();
      await watch.run();
      assert.equal(watch.ops.taken.length, cut);
    }
    const { title, commands } = (
      JSON.parse(watch.ops.taken[0]!.body) as { data: { title: string; commands: string[] } }
    ).data;
    assert.equal(title, 'The CA rotation of orders was cut short');
    assert.deepEqual(commands, ['cert-rotation rotate ca orders']);
  });

  it('safety 43: tells every hour of a compromised CA that nobody is removing, until no namespace trusts it', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    await world.compromise(watch.ca);
    world.leaf = await aLeaf(watch.ca, { lifetimeMs: 90 * day });
    watch.use(world.activities);
    for (const told of [1, 2]) {
      await watch.run();
      await watch.run();
      assert.equal(watch.ops.taken.length, told);
      world.now = new Date(world.now.getTime() + hour);
    }
    const { type, data } = JSON.parse(watch.ops.taken[0]!.body) as {
      type: string;
      data: { severity: string; lines: string[]; commands: string[] };
    };
    assert.deepEqual([type, data.severity], ['emergency', 'critical']);
    assert.match(data.lines.join(), /still trusted by 1 namespace \(orders\.acct1\).*leaf of it: orders-worker/);
    assert.deepEqual(data.commands, ['cert-rotation emergency ca orders --who <you> --why <reason>']);
    const rotation = await aRotation();
    await watch.run();
    assert.equal(watch.ops.taken.length, 2, 'told although a rotation is at work');
    await watch.tests.terminate(rotation);
    await watch.run();
    assert.equal(watch.ops.taken.length, 3);
    await world.sign(watch.foreign);
    await world.compromise(watch.ca);
    world.bundle = [watch.foreign.certificate];
    world.now = new Date(world.now.getTime() + hour);
    await watch.run();
    assert.equal(watch.ops.taken.length, 3);
  });

  it('safety 45: puts on record, once, how a rotation ended that was terminated, and not while another one runs', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    watch.use(world.activities);
    const asked = { authority: 'orders', who: 'ada' };
    const cut = await aRotation(asked);
    await watch.tests.terminate(cut);
    world.cutShort = [{ runId: cut.firstExecutionRunId, closeTime: new Date() }];
    const another = await aRotation(asked);
    await watch.run();
    assert.deepEqual(await rotationRecords(world.keystore, 'orders'), []);
    await watch.tests.terminate(another);
    await watch.run();
    await watch.run();
    const records = await rotationRecords(world.keystore, 'orders');
    assert.deepEqual(
      records.map(({ runId, outcome, reason, startedBy }) => [runId, outcome, reason, startedBy]),
      [[cut.firstExecutionRunId, 'terminated', 'somebody was too quick', 'ada']],
    );
  });

  it('safety 27: tells of a bundle that somebody put back, and is silent once it is mended', async () => {
    await watch.rotationEnded();
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.bundle = [];
    watch.use(world.activities);
    await watch.run();
    await watch.run();
    assert.deepEqual(
      titles(watch.ops).map((title) => title.replace(/CA \w+/, 'CA')),
      ['orders.acct1 does not trust CA of orders any more'],
    );
    world.bundle = [watch.ca.certificate];
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
    world.bundle = [];
    await watch.run();
    assert.equal(watch.ops.taken.length, 2);
  });

  it('safety 27: says nothing of a bundle that a rotation changed while it looked', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.whileBundleIsRead = () => world.sign(watch.foreign);
    watch.use(world.activities);
    await watch.run();
    assert.deepEqual(titles(watch.ops), []);
    world.whileBundleIsRead = async () => {};
    world.bundle = [];
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
  });

  it('safety 27: tells once of a leaf that a rotation left on its way, with the command that goes on', async () => {
    await watch.rotationEnded();
    const world = watch.aWorld({ resume: false });
    await world.sign(watch.ca);
    const leaf = await aLeaf(watch.ca);
    await world.keystore.create(entries.leaf('orders-worker', 'a-run'), { ...leaf, owner: 'leaf/orders-worker' });
    watch.use(world.activities);
    await watch.run();
    await watch.run();
    assert.deepEqual(titles(watch.ops), ['The leaf rotation of orders-worker was cut short']);
  });
});
