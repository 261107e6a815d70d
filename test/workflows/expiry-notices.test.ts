import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import proto from '@temporalio/proto';
import type { Activities } from '../../src/activities/index.js';
import { RotationError } from '../../src/domain/failures.js';
import { caRotationId, entries } from '../../src/domain/ids.js';
import type { NoticeRecord } from '../../src/domain/notices.js';
import type { ExpiryNoticesResult } from '../../src/domain/rotation.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { rotationRecords } from '../../src/keystore/rotation-records.js';
import { aCa, aLeaf } from '../support/certificates.js';
import { ExpiryWorld, type ExpiryWorldOptions } from '../support/expiry-world.js';
import { fakeActivities, gate } from '../support/fake-activities.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { scan } from '../support/key-scan.js';
import { WorkflowTests } from '../support/temporal-env.js';

const day = 86_400_000;

describe('the watch over expiring certificates', () => {
  let tests: WorkflowTests;
  let ops: HttpReceiver;
  let team: HttpReceiver;
  let ca: KeyPair;
  let foreign: KeyPair;
  let runs = 0;

  before(async () => {
    tests = await WorkflowTests.skippingTime();
    [ca, foreign] = await Promise.all([aCa(), aCa({ organization: 'Somebody else' })]);
  });
  after(() => tests?.stop());
  beforeEach(async () => {
    [ops, team] = await Promise.all([startHttpReceiver(), startHttpReceiver()]);
  });
  afterEach(() => Promise.all([ops.stop(), team.stop()]));

  const aWorld = (options: Partial<ExpiryWorldOptions> = {}) =>
    new ExpiryWorld({ client: tests.env.client, notifiers: { ops: ops.address }, ...options });

  /** Runs the watch once, under an id of its own, as a schedule does. */
  async function run(): Promise<ExpiryNoticesResult> {
    return (await (await start()).result()) as ExpiryNoticesResult;
  }

  const start = () => tests.start('expiryNotices', `expiry-notices-${(runs += 1)}`);

  /** Waits for the end in real time: the test server would skip what another run still waits for. */
  async function ended(handle: WorkflowHandle): Promise<void> {
    const { status } = await tests.eventually(async () => {
      const description = await handle.describe();
      return description.status.name !== 'RUNNING' && description;
    });
    assert.equal(status.name, 'COMPLETED');
  }

  const use = (activities: Activities) => tests.use({ ...fakeActivities(), activities });

  const titles = ({ taken }: HttpReceiver): readonly string[] =>
    taken.map(({ body }) => (JSON.parse(body) as { data: { title: string } }).data.title);

  async function failureOf(running: Promise<unknown>): Promise<ApplicationFailure> {
    const error = await running.then(
      () => assert.fail('it did not fail'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure, String(error));
    return error.cause;
  }

  it('tells each step of each certificate once in a year, though two runs look at a time', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.bundle = [...world.bundle, foreign.certificate];
    use(world.activities);
    for (let left = 64; left >= -2; left -= 1) {
      world.moveTo(ca.certificate, left);
      await Promise.all((await Promise.all([start(), start()])).map(ended));
    }
    const told = ops.taken.flatMap(({ body }) => {
      const { data } = JSON.parse(body) as { data: { certificates: { fingerprint: string }[]; title: string } };
      return data.certificates.map(({ fingerprint }) => `${fingerprint.slice(0, 8)}: ${data.title}`);
    });
    const ends = ['60 days', '30 days', '14 days', '7 days', '3 days', '24 hours', 'expired'];
    for (const { fingerprint } of [ca.certificate, foreign.certificate]) {
      const its = told.filter((line) => line.startsWith(fingerprint.slice(0, 8)));
      assert.equal(its.length, ends.length, its.join('\n'));
      its.forEach((line, index) => assert.ok(line.includes(ends[index]!), `${line} is not ${ends[index]}`));
    }
  });

  it('tells at the steps that the configuration names, and at no other', async () => {
    const world = aWorld({ at: ['40d', '2d'] });
    await world.sign(ca);
    use(world.activities);
    for (const left of [50, 39.5, 20, 6, 2.5, 1.5]) {
      world.moveTo(ca.certificate, left);
      await run();
    }
    assert.deepEqual(
      titles(ops).map((title) => title.replace(/^CA .*\) /, '')),
      ['expires in 39 days', 'expires in 36 hours'],
    );
  });

  it('tells once when another run is quicker between reading the record and claiming', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    use(world.activities);
    const create = world.keystore.create.bind(world.keystore);
    let first = true;
    world.keystore.create = async (name, entry) => {
      const other = first && start();
      first = false;
      if (other) await ended(await other);
      return create(name, entry);
    };
    await ended(await start());
    assert.equal(ops.taken.length, 1);
  });

  it('tells once when the worker dies between the claim and the message', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    let attempts = 0;
    const takeNotices: Activities['takeNotices'] = async (request) => {
      const task = await world.activities.takeNotices(request);
      attempts += 1;
      if (attempts === 1) throw new Error('planted: the answer is lost');
      return task;
    };
    use({ ...world.activities, takeNotices });
    await run();
    await run();
    assert.equal(attempts, 3);
    assert.equal(ops.taken.length, 1);
  });

  it('tells once a notifier that is busy for hours, with the same id each time', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    const ids: unknown[] = [];
    ops.answer = ({ headers }, response) => {
      ids.push(headers['webhook-id']);
      response.writeHead(ids.length < 20 ? 503 : 200).end();
    };
    use(world.activities);
    await run();
    await run();
    assert.equal(ids.length, 20);
    assert.equal(new Set(ids).size, 1);
  });

  it('tells once when the answer of who told it is lost', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    let attempts = 0;
    const tellNotice: Activities['tellNotice'] = async (telling) => {
      const sent = await world.activities.tellNotice(telling);
      attempts += 1;
      if (attempts === 1) throw new Error('planted: the answer is lost');
      return sent;
    };
    use({ ...world.activities, tellNotice });
    await run();
    await run();
    assert.deepEqual([attempts, ops.taken.length], [2, 1]);
  });

  it('says that it could not put on record what it told, and tells it once all the same', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    world.keystore.beforeUpdate = () => {
      throw new RotationError('KeystoreUnavailable', 'No answer.');
    };
    use(world.activities);
    assert.match((await failureOf(run())).message, /ops was told, which is not on record: No answer/);
    world.keystore.beforeUpdate = () => undefined;
    await run();
    assert.equal(ops.taken.length, 1);
  });

  it('tells what a run claimed that somebody terminated before it told it, once', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    const [begun, { opened, open }] = [gate(), gate()];
    const tellNotice: Activities['tellNotice'] = async () => {
      begun.open();
      await opened;
      return { warnings: [] };
    };
    use({ ...world.activities, tellNotice });
    const terminated = await start();
    await begun.opened;
    await tests.terminate(terminated);
    open();
    use(world.activities);
    await run();
    await run();
    assert.equal(ops.taken.length, 1);
  });

  it('tells once what a run had told that somebody terminated while it told others', async () => {
    const world = aWorld({ notifiers: { ops: ops.address, team: team.address } });
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    const { opened, open } = gate();
    const tellNotice: Activities['tellNotice'] = (telling) =>
      telling.notifier === 'team' ? opened.then(() => ({ warnings: [] })) : world.activities.tellNotice(telling);
    use({ ...world.activities, tellNotice });
    const terminated = await start();
    await tests.eventually(() => waitsForTheLast(terminated));
    await tests.terminate(terminated);
    open();
    use(world.activities);
    await run();
    await run();
    assert.deepEqual([ops.taken.length, team.taken.length], [1, 1]);
  });

  it('tells once what was sent while its run was terminated', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    const { opened, open } = gate();
    const arrived = gate();
    ops.answer = (_request, response) => {
      arrived.open();
      void opened.then(() => response.end());
    };
    use(world.activities);
    const terminated = await start();
    await arrived.opened;
    await tests.terminate(terminated);
    open();
    await tests.eventually(async () => (await claimsOf(world, 'ops')).some(({ run }) => run === undefined));
    await run();
    assert.equal(ops.taken.length, 1);
  });

  /** Its look is done and one of its two messages told, and it knows. */
  async function waitsForTheLast(handle: WorkflowHandle): Promise<boolean> {
    const events = (await handle.fetchHistory()).events ?? [];
    const ended = events.filter((event) => event.activityTaskCompletedEventAttributes);
    return ended.length === 2 && Boolean(events.at(-1)?.workflowTaskCompletedEventAttributes);
  }

  async function claimsOf(world: ExpiryWorld, notifier: string) {
    const entry = await world.keystore.get(entries.notices);
    return Object.values((entry?.record as NoticeRecord | undefined)?.told[notifier] ?? {});
  }

  it('leaves to its next run what a notifier refused, fails and names it, and tells the others once', async () => {
    const world = aWorld({ notifiers: { ops: ops.address, team: team.address } });
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    ops.answer = (_request, response) => void response.writeHead(410).end();
    use(world.activities);
    const { type, message } = await failureOf(run());
    assert.equal(type, 'ExpiryNoticesIncomplete');
    assert.match(message, /ops was not told: ops answers HTTP 410/);
    ops.answer = (_request, response) => void response.end();
    await run();
    await run();
    assert.equal(ops.taken.length, 1);
    assert.equal(team.taken.length, 1);
  });

  it('tells again only what was given up of what a run had to tell one notifier', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.bundle = [];
    world.moveTo(ca.certificate, 6);
    ops.answer = ({ body }, response) => void response.writeHead(body.includes('"expiry"') ? 410 : 200).end();
    use(world.activities);
    assert.match((await failureOf(run())).message, /ops was not told: ops answers HTTP 410/);
    ops.answer = (_request, response) => void response.end();
    await run();
    await run();
    const delivered = (pattern: RegExp) => titles(ops).filter((title) => pattern.test(title)).length;
    assert.equal(delivered(/does not trust CA/), 1, 'the message that was taken is told again');
    assert.equal(delivered(/expires in 6 days/), 1, 'the message that was refused is not told again');
  });

  for (const [what, record] of [
    ['something else', { told: 'everybody' }],
    ['nothing', undefined],
  ] as const) {
    it(`tells people of it, and of all that expires, when the record of what was told holds ${what}`, async () => {
      const world = aWorld({ renewBefore: '30d' });
      await world.sign(ca);
      world.moveTo(ca.certificate, 31);
      const unreadable = { record, owner: 'schedule/cert-rotation-expiry' };
      await world.keystore.create(entries.notices, unreadable);
      use(world.activities);
      const { message } = await failureOf(run());
      assert.match(message, /the record of what was told: Entry notices holds something else/);
      const [told, blind] = [...titles(ops)].sort();
      assert.match(told!, /^CA .* expires in 31 days$/);
      assert.equal(blind, 'The watch over expiring certificates cannot see one place');
      assert.deepEqual((await world.keystore.get(entries.notices))?.record, record);
    });
  }

  it('says what it cannot see, to people and by failing, and tells the rest', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    world.bundleFailure = new RotationError('CloudForbidden', 'Reading orders.acct1 is forbidden.');
    use(world.activities);
    const { message } = await failureOf(run());
    assert.match(message, /the bundle of orders\.acct1: Reading orders\.acct1 is forbidden/);
    const [told, blind] = [...titles(ops)].sort();
    assert.match(told!, /^CA .* expires in 6 days$/);
    assert.equal(blind, 'The watch over expiring certificates cannot see one place');
  });

  it('runs that cannot be listed are such a place', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    world.unlisted = new Error('no visibility');
    use(world.activities);
    const { message } = await failureOf(run());
    assert.match(message, /The runs of ca\/orders could not be listed: no visibility/);
    assert.match(titles(ops).join(), /CA .* expires in 6 days/);
  });

  it('asks a place that does not answer again before it goes on without it', async () => {
    const world = aWorld();
    world.bundle = [foreign.certificate];
    world.moveTo(foreign.certificate, 6);
    let asked = 0;
    world.bundleFailure = new RotationError('CloudUnavailable', 'No answer.');
    const takeNotices: Activities['takeNotices'] = (request) => {
      asked += 1;
      if (asked === 3) world.bundleFailure = undefined;
      return world.activities.takeNotices(request);
    };
    use({ ...world.activities, takeNotices });
    await run();
    assert.equal(asked, 3);
    assert.equal(titles(ops).length, 1);
    world.bundleFailure = new RotationError('CloudUnavailable', 'No answer.');
    use(world.activities);
    assert.match((await failureOf(run())).message, /the bundle of orders\.acct1: No answer/);
  });

  it('tells of an authority those who are named there, and of other people’s CAs those named for that', async () => {
    const notifiers = { ops: ops.address, team: team.address };
    const world = aWorld({ notifiers, notify: ['team'], notifyOfForeign: ['ops'] });
    await world.sign(ca);
    world.bundle = [...world.bundle, foreign.certificate];
    world.moveTo(ca.certificate, 6);
    use(world.activities);
    await run();
    assert.match(titles(team).join(), /^CA .*O=Acme\) expires/);
    assert.match(titles(ops).join(), /^CA .*O=Somebody else\) expires/);
  });

  it('tells of a leaf only once its schedule is late', async () => {
    const world = aWorld();
    world.leaf = await aLeaf(ca, { lifetimeMs: 30 * day });
    use(world.activities);
    for (const left of [29, 14, 9.5, 7.5, 6.9]) {
      world.moveTo(world.leaf!.certificate, left);
      await run();
    }
    assert.deepEqual(
      titles(ops).map((title) => title.replace(/^Leaf .*\) /, '')),
      ['expires in 6 days'],
    );
  });

  it('tells of the certificate that the rotation worker itself connects with, though it is no target', async () => {
    const world = aWorld();
    world.own = (await aLeaf(foreign)).certificate;
    use(world.activities);
    world.moveTo(world.own, 0.5);
    await run();
    assert.match(titles(ops).join(), /^Leaf \w{8} .* expires in 12 hours$/);
    await run();
    assert.equal(ops.taken.length, 1);
  });

  it('costs one activity where there is nothing to tell, and keeps no record without notifiers', async () => {
    const world = aWorld({ notifiers: {} });
    await world.sign(ca);
    world.moveTo(ca.certificate, 6);
    use(world.activities);
    await run();
    const { events } = await tests.env.client.workflow.getHandle(`expiry-notices-${runs}`).fetchHistory();
    assert.equal(events?.filter((event) => event.activityTaskScheduledEventAttributes).length, 1);
    assert.equal(await world.keystore.get(entries.notices), undefined);
  });

  it('safety 8: no key is in its history, its record or its messages', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.leaf = await aLeaf(ca, { lifetimeMs: 30 * day });
    world.moveTo(world.leaf.certificate, 0);
    use(world.activities);
    await run();
    const history = await tests.env.client.workflow.getHandle(`expiry-notices-${runs}`).fetchHistory();
    const places = [
      { name: 'history', content: Buffer.from(historyToJSON(history)) },
      { name: 'record', content: Buffer.from(JSON.stringify(await world.keystore.get(entries.notices))) },
      ...ops.taken.map((request) => ({ name: 'message', content: Buffer.from(JSON.stringify(request)) })),
    ];
    assert.equal(ops.taken.length, 1);
    assert.deepEqual(scan(places, [ca.key.keyObject(), world.leaf.key.keyObject()]), []);
  });

  describe('starts the rotation of a CA that is due', () => {
    /** A rotation that is at its first step until `end`. */
    function waiting(world: ExpiryWorld): { activities: Activities; end: () => void } {
      let end = (): void => undefined;
      const over = new Promise<never>((_resolve, reject) => (end = () => reject(new Error('the test is over'))));
      over.catch(() => undefined);
      return { activities: { ...world.activities, resolveCaRotation: () => over }, end };
    }

    it('safety 29: under its fixed id, and the rotation outlives the watch; one that runs already is left alone', async (test) => {
      const world = aWorld({ renewBefore: '30d' });
      await world.sign(ca);
      world.moveTo(ca.certificate, 31);
      const rotation = tests.env.client.workflow.getHandle(caRotationId('orders'));
      const { activities, end } = waiting(world);
      // However the test ends: the worker stops only once its activities have.
      test.after(end);
      use(activities);
      assert.deepEqual((await run()).started, []);
      world.moveTo(ca.certificate, 29);
      assert.deepEqual((await run()).started, ['ca/orders']);
      const { events } = await tests.env.client.workflow.getHandle(`expiry-notices-${runs}`).fetchHistory();
      const child = events?.find((event) => event.startChildWorkflowExecutionInitiatedEventAttributes);
      const { parentClosePolicy } = child?.startChildWorkflowExecutionInitiatedEventAttributes ?? {};
      assert.equal(parentClosePolicy, proto.temporal.api.enums.v1.ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON);
      const { status, runId } = await rotation.describe();
      assert.equal(status.name, 'RUNNING');
      assert.deepEqual((await run()).started, []);
      assert.equal((await rotation.describe()).runId, runId);
      await tests.terminate(rotation);
      assert.match(ops.taken.at(-1)!.body, /its rotation is started now/);
    });

    it('only where the configuration does not say never', async () => {
      const world = aWorld({ renewBefore: 'never' });
      await world.sign(ca);
      world.moveTo(ca.certificate, 1);
      use(world.activities);
      assert.deepEqual((await run()).started, []);
    });
  });

  it('safety 27: tells once of a rotation that was terminated, with the command that goes on, and of the next one again', async () => {
    const world = aWorld({ resume: false });
    await world.sign(ca);
    const { workflow } = tests.env.client;
    /** No worker polls there: it is terminated before it does anything. */
    const begin = () =>
      workflow.start('caRotation', { workflowId: caRotationId('orders'), taskQueue: 'nobody', args: [] });
    use(world.activities);
    for (const cut of [1, 2]) {
      const rotation = await begin();
      await world.overlap(foreign, rotation.firstExecutionRunId);
      await run();
      assert.equal(ops.taken.length, cut - 1, 'told of a rotation that runs');
      await tests.terminate(rotation);
      await run();
      await run();
      assert.equal(ops.taken.length, cut);
    }
    const { title, commands } = (JSON.parse(ops.taken[0]!.body) as { data: { title: string; commands: string[] } })
      .data;
    assert.equal(title, 'The CA rotation of orders was cut short');
    assert.deepEqual(commands, ['cert-rotation rotate ca orders']);
  });

  it('safety 43: tells every hour of a compromised CA that nobody is removing, until no namespace trusts it', async () => {
    const world = aWorld();
    await world.sign(ca);
    await world.compromise(ca);
    world.leaf = await aLeaf(ca, { lifetimeMs: 90 * day });
    use(world.activities);
    for (const told of [1, 2]) {
      await run();
      await run();
      assert.equal(ops.taken.length, told);
      world.now = new Date(world.now.getTime() + 3_600_000);
    }
    const { type, data } = JSON.parse(ops.taken[0]!.body) as {
      type: string;
      data: { severity: string; lines: string[]; commands: string[] };
    };
    assert.deepEqual([type, data.severity], ['emergency', 'critical']);
    assert.match(data.lines.join(), /still trusted by 1 namespace \(orders\.acct1\).*leaf of it: orders-worker/);
    assert.deepEqual(data.commands, ['cert-rotation emergency ca orders --who <you> --why <reason>']);
    const rotation = await tests.env.client.workflow.start('caRotation', {
      workflowId: caRotationId('orders'),
      taskQueue: 'nobody',
      args: [],
    });
    await run();
    assert.equal(ops.taken.length, 2, 'told although a rotation is at work');
    await tests.terminate(rotation);
    await run();
    assert.equal(ops.taken.length, 3);
    await world.sign(foreign);
    await world.compromise(ca);
    world.bundle = [foreign.certificate];
    world.now = new Date(world.now.getTime() + 3_600_000);
    await run();
    assert.equal(ops.taken.length, 3);
  });

  it('safety 45: puts on record, once, how a rotation ended that was terminated, and not while another one runs', async () => {
    const world = aWorld();
    await world.sign(ca);
    use(world.activities);
    const { workflow } = tests.env.client;
    const begin = () =>
      workflow.start('caRotation', {
        workflowId: caRotationId('orders'),
        taskQueue: 'nobody',
        args: [{ authority: 'orders', who: 'ada' }],
      });
    const cut = await begin();
    await tests.terminate(cut);
    world.cutShort = [{ runId: cut.firstExecutionRunId, closeTime: new Date() }];
    const another = await begin();
    await run();
    assert.deepEqual(await rotationRecords(world.keystore, 'orders'), []);
    await tests.terminate(another);
    await run();
    await run();
    const records = await rotationRecords(world.keystore, 'orders');
    assert.deepEqual(
      records.map(({ runId, outcome, reason, startedBy }) => [runId, outcome, reason, startedBy]),
      [[cut.firstExecutionRunId, 'terminated', 'somebody was too quick', 'ada']],
    );
  });

  it('safety 27: tells of a bundle that somebody put back, and is silent once it is mended', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.bundle = [];
    use(world.activities);
    await run();
    await run();
    assert.deepEqual(
      titles(ops).map((title) => title.replace(/CA \w+/, 'CA')),
      ['orders.acct1 does not trust CA of orders any more'],
    );
    world.bundle = [ca.certificate];
    await run();
    assert.equal(ops.taken.length, 1);
    world.bundle = [];
    await run();
    assert.equal(ops.taken.length, 2);
  });

  it('safety 27: says nothing of a bundle that a rotation changed while it looked', async () => {
    const world = aWorld();
    await world.sign(ca);
    world.whileBundleIsRead = () => world.sign(foreign);
    use(world.activities);
    await run();
    assert.deepEqual(titles(ops), []);
    world.whileBundleIsRead = async () => {};
    world.bundle = [];
    await run();
    assert.equal(ops.taken.length, 1);
  });

  it('safety 27: tells once of a leaf that a rotation left on its way, with the command that goes on', async () => {
    const world = aWorld({ resume: false });
    await world.sign(ca);
    const leaf = await aLeaf(ca);
    await world.keystore.create(entries.leaf('orders-worker', 'a-run'), { ...leaf, owner: 'leaf/orders-worker' });
    use(world.activities);
    await run();
    await run();
    assert.deepEqual(titles(ops), ['The leaf rotation of orders-worker was cut short']);
  });
});
