import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Client, type WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { caRotationId, entries, leafRotationId } from '../../src/domain/ids.js';
import type { ExpiryNoticesResult } from '../../src/domain/rotation.js';
import { tell } from '../../src/temporal/history.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { ExpiryWorld, type ExpiryWorldOptions } from '../support/expiry-world.js';
import { failing, fakeActivities, plan, untilCancelled } from '../support/fake-activities.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { WorkflowTests } from '../support/temporal-env.js';

const asked = { authority: 'orders', who: 'ada' };
const emergency = { who: 'ada', why: 'its key leaked', leaked: 'current' } as const;

describe('safety 27: the watch resumes what was cut short', () => {
  let tests: WorkflowTests;
  let ops: HttpReceiver;
  let ca: KeyPair;
  let next: KeyPair;
  let world: ExpiryWorld;
  /** Lets the rotations that were started end. */
  let end: () => void;
  let runs = 0;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
    [ca, next] = await Promise.all([aCa(), aCa({ organization: 'Next' })]);
  });
  after(() => tests?.stop());
  beforeEach(async () => {
    ops = await startHttpReceiver();
  });
  afterEach(async () => {
    // However the test ends: the worker stops only once its activities have.
    end();
    await ops.stop();
  });

  async function aWorld(options: Partial<ExpiryWorldOptions> = {}): Promise<void> {
    world = new ExpiryWorld({ client: tests.env.client, notifiers: { ops: ops.address }, ...options });
    await world.sign(ca);
    const over = new Promise<never>((_resolve, reject) => (end = () => reject(new Error('the test is over'))));
    over.catch(() => undefined);
    const first: Partial<Activities> = { resolveCaRotation: () => over, resolveLeafRotation: () => over };
    tests.use({ ...fakeActivities(), activities: { ...world.activities, ...first } });
  }

  async function run(): Promise<readonly string[]> {
    const handle = await tests.start('expiryNotices', `expiry-resume-${(runs += 1)}`);
    return ((await handle.result()) as ExpiryNoticesResult).started;
  }

  /** No worker polls there: whatever becomes of it, it has done nothing but what the test says. */
  async function aRotation(input: object = asked): Promise<WorkflowHandle> {
    const { workflow } = tests.env.client;
    const id = { workflowId: caRotationId('orders'), taskQueue: 'nobody', args: [input] };
    const rotation = await workflow.start('caRotation', id);
    await world.overlap(next, rotation.firstExecutionRunId);
    return rotation;
  }

  /** Terminated, with a leaf on its way. */
  async function aCutLeafRotation(more: object = {}): Promise<string> {
    const workflowId = leafRotationId('orders-worker');
    const args = [{ target: 'orders-worker', ...more }];
    await tests.terminate(
      await tests.env.client.workflow.start('leafRotation', { workflowId, taskQueue: 'nobody', args }),
    );
    const entry = { ...(await aLeaf(ca)), owner: workflowId };
    await world.keystore.create(entries.leaf('orders-worker', 'a-run'), entry);
    return workflowId;
  }

  /** What the rotation that runs now was asked for; it is over then. */
  async function resumed(workflowId: string): Promise<unknown> {
    const handle = tests.env.client.workflow.getHandle(workflowId);
    const { input } = await tell(tests.env.client, workflowId);
    await tests.terminate(handle);
    return input;
  }

  it('safety 27: a CA rotation that was terminated: as it was asked for; people are told once', async () => {
    await aWorld();
    await tests.terminate(await aRotation());
    assert.deepEqual(await run(), [caRotationId('orders')]);
    assert.deepEqual(await run(), []);
    assert.deepEqual(await resumed(caRotationId('orders')), asked);
    assert.equal(ops.taken.length, 1);
    const { data } = JSON.parse(ops.taken[0]!.body) as { data: { title: string; lines: string[]; commands: string[] } };
    assert.equal(data.title, 'The CA rotation of orders was cut short');
    assert.match(data.lines.join(' '), /started again now and goes on with CA .*cert-rotation abort orders/);
    assert.deepEqual(data.commands, ['cert-rotation status orders']);
  });

  it('safety 43: an emergency as one', async () => {
    await aWorld();
    await tests.terminate(await aRotation({ ...asked, emergency }));
    await world.compromise(ca);
    assert.deepEqual(await run(), [caRotationId('orders')]);
    assert.deepEqual(await resumed(caRotationId('orders')), { ...asked, emergency });
  });

  it('not one that a person was aborting', async () => {
    await aWorld();
    const old = certificateFacts(ca.certificate.fingerprint);
    const rotating = {
      ...fakeActivities({
        resolveCaRotation: async () => plan('orders'),
        issueCa: async () => ({ ca: certificateFacts(next.certificate.fingerprint), old }),
        dropCa: untilCancelled,
      }).activities,
    };
    tests.use({ ...fakeActivities(), activities: { ...rotating, takeNotices: world.activities.takeNotices } });
    const rotation = await tests.start('caRotation', caRotationId('orders'), asked);
    await tests.reach(rotation, 'approve');
    await rotation.executeUpdate('intervene', { args: [{ action: 'abort', who: 'ada', why: 'wrong subject' }] });
    await tests.reach(rotation, 'abort');
    await tests.eventually(
      async () => (await tell(tests.env.client, caRotationId('orders'))).steps.at(-1)?.activity === 'dropCa',
    );
    await world.overlap(next, (await rotation.describe()).runId);
    await tests.terminate(rotation);
    assert.deepEqual(await run(), []);
  });

  it('safety 27: a leaf rotation that was terminated, and left a leaf on its way', async () => {
    await aWorld();
    const id = await aCutLeafRotation({ onlyWhenDue: true });
    assert.deepEqual(await run(), [id]);
    assert.deepEqual(await run(), []);
    assert.deepEqual(await resumed(id), { target: 'orders-worker' });
  });

  it('not a leaf rotation of a CA rotation that runs: that one asks people about it', async () => {
    await aWorld();
    await aCutLeafRotation();
    const rotation = await aRotation();
    assert.deepEqual(await run(), []);
    await tests.terminate(rotation);
  });

  it('nothing of a history that cannot be read, which keeps nobody from hearing of it', async () => {
    await aWorld();
    const { workflow } = tests.env.client;
    const unreadable = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('?') };
    const encrypting = new Client({
      connection: tests.env.connection,
      dataConverter: { payloadCodecs: [{ encode: async () => [unreadable], decode: async (all) => all }] },
    });
    const id = { workflowId: caRotationId('orders'), taskQueue: 'nobody', args: [asked] };
    const { firstExecutionRunId } = await encrypting.workflow.start('caRotation', id);
    await world.overlap(next, firstExecutionRunId);
    await tests.terminate(workflow.getHandle(caRotationId('orders')));
    assert.deepEqual(await run(), []);
    assert.match(ops.taken[0]!.body, /The CA rotation of orders was cut short/);
  });

  it('not one that ended by itself: people were told then', async () => {
    await aWorld();
    const resolveCaRotation = failing('UnknownAuthority');
    tests.use({ ...fakeActivities(), activities: { ...world.activities, resolveCaRotation } });
    const failed = await tests.start('caRotation', caRotationId('orders'), asked);
    await tests.failureOf(failed);
    await world.overlap(next, (await failed.describe()).runId);
    assert.deepEqual(await run(), []);
  });

  it('none where the configuration says so: people are told how it goes on', async () => {
    await aWorld({ resume: false });
    await tests.terminate(await aRotation());
    assert.deepEqual(await run(), []);
    assert.match(ops.taken[0]!.body, /cert-rotation rotate ca orders/);
  });

  it('safety 42: none while somebody rescues the authority, on a Temporal of their own; then it is', async () => {
    await aWorld({ renewBefore: '30d' });
    world.moveTo(ca.certificate, 1);
    const claim = { record: { by: 'sam', claim: 'claim' }, owner: 'rescue/orders' };
    const expiresAt = new Date(world.now.getTime() + 60_000).toISOString();
    await world.keystore.create(entries.rescue('orders'), { ...claim, expiresAt });
    await tests.terminate(await aRotation());
    const leaf = await aCutLeafRotation();
    assert.deepEqual(await run(), []);
    world.now = new Date(world.now.getTime() + 120_000);
    assert.deepEqual(await run(), [caRotationId('orders'), leaf]);
    await resumed(caRotationId('orders'));
    await resumed(leaf);
  });
});
