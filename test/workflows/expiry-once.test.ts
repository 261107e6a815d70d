import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import type { NoticeRecord } from '../../src/domain/notices.js';
import { ExpiryWatch, titles } from '../support/expiry-watch.js';
import type { ExpiryWorld } from '../support/expiry-world.js';
import { gate } from '../support/fake-activities.js';

describe('the watch over expiring certificates', () => {
  let watch: ExpiryWatch;
  before(async () => {
    watch = await ExpiryWatch.begin();
  });
  after(() => watch?.stop());
  beforeEach(() => watch.listen());
  afterEach(() => watch.hangUp());

  it('tells each step of each certificate once in a year, though two runs look at a time', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.bundle = [...world.bundle, watch.foreign.certificate];
    watch.use(world.activities);
    for (let left = 64; left >= -2; left -= 1) {
      world.moveTo(watch.ca.certificate, left);
      await Promise.all((await Promise.all([watch.start(), watch.start()])).map((run) => watch.ended(run)));
    }
    const told = watch.ops.taken.flatMap(({ body }) => {
      const { data } = JSON.parse(body) as { data: { certificates: { fingerprint: string }[]; title: string } };
      return data.certificates.map(({ fingerprint }) => `${fingerprint.slice(0, 8)}: ${data.title}`);
    });
    const ends = ['60 days', '30 days', '14 days', '7 days', '3 days', '24 hours', 'expired'];
    for (const { fingerprint } of [watch.ca.certificate, watch.foreign.certificate]) {
      const its = told.filter((line) => line.startsWith(fingerprint.slice(0, 8)));
      assert.equal(its.length, ends.length, its.join('\n'));
      its.forEach((line, index) => assert.ok(line.includes(ends[index]!), `${line} is not ${ends[index]}`));
    }
  });

  it('tells once when another run is quicker between reading the record and claiming', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    watch.use(world.activities);
    const create = world.keystore.create.bind(world.keystore);
    let first = true;
    world.keystore.create = async (name, entry) => {
      const other = first && watch.start();
      first = false;
      if (other) await watch.ended(await other);
      return create(name, entry);
    };
    await watch.ended(await watch.start());
    assert.equal(watch.ops.taken.length, 1);
  });

  it('tells once when the worker dies between the claim and the message', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    let attempts = 0;
    const takeNotices: Activities['takeNotices'] = async (request) => {
      const task = await world.activities.takeNotices(request);
      attempts += 1;
      if (attempts === 1) throw new Error('planted: the answer is lost');
      return task;
    };
    watch.use({ ...world.activities, takeNotices });
    await watch.run();
    await watch.run();
    assert.equal(attempts, 3);
    assert.equal(watch.ops.taken.length, 1);
  });

  it('tells once a notifier that is busy for hours, with the same id each time', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    const ids: unknown[] = [];
    watch.ops.answer = ({ headers }, response) => {
      ids.push(headers['webhook-id']);
      response.writeHead(ids.length < 20 ? 503 : 200).end();
    };
    watch.use(world.activities);
    await watch.run();
    await watch.run();
    assert.equal(ids.length, 20);
    assert.equal(new Set(ids).size, 1);
  });

  it('tells once when the answer of who told it is lost', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    let attempts = 0;
    const tellNotice: Activities['tellNotice'] = async (telling) => {
      const sent = await world.activities.tellNotice(telling);
      attempts += 1;
      if (attempts === 1) throw new Error('planted: the answer is lost');
      return sent;
    };
    watch.use({ ...world.activities, tellNotice });
    await watch.run();
    await watch.run();
    assert.deepEqual([attempts, watch.ops.taken.length], [2, 1]);
  });

  it('says that it could not put on record what it told, and tells it once all the same', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    world.keystore.beforeUpdate = () => {
      throw new RotationError('KeystoreUnavailable', 'No answer.');
    };
    watch.use(world.activities);
    assert.match((await watch.failure()).message, /ops was told, which is not on record: No answer/);
    world.keystore.beforeUpdate = () => undefined;
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
  });

  it('tells what a run claimed that somebody terminated before it told it, once', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    const [begun, { opened, open }] = [gate(), gate()];
    const tellNotice: Activities['tellNotice'] = async () => {
      begun.open();
      await opened;
      return { warnings: [] };
    };
    watch.use({ ...world.activities, tellNotice });
    const terminated = await watch.start();
    await begun.opened;
    await watch.tests.terminate(terminated);
    open();
    watch.use(world.activities);
    await watch.run();
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
  });

  it('tells once what a run had told that somebody terminated while it told others', async () => {
    const world = watch.aWorld({ notifiers: { ops: watch.ops.address, team: watch.team.address } });
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    const { opened, open } = gate();
    const tellNotice: Activities['tellNotice'] = (telling) =>
      telling.notifier === 'team' ? opened.then(() => ({ warnings: [] })) : world.activities.tellNotice(telling);
    watch.use({ ...world.activities, tellNotice });
    const terminated = await watch.start();
    await watch.tests.eventually(() => waitsForTheLast(terminated));
    await watch.tests.terminate(terminated);
    open();
    watch.use(world.activities);
    await watch.run();
    await watch.run();
    assert.deepEqual([watch.ops.taken.length, watch.team.taken.length], [1, 1]);
  });

  it('tells once what was sent while its run was terminated', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    const { opened, open } = gate();
    const arrived = gate();
    watch.ops.answer = (_request, response) => {
      arrived.open();
      void opened.then(() => response.end());
    };
    watch.use(world.activities);
    const terminated = await watch.start();
    await arrived.opened;
    await watch.tests.terminate(terminated);
    open();
    await watch.tests.eventually(async () => (await claimsOf(world, 'ops')).some(({ run }) => run === undefined));
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
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
    const world = watch.aWorld({ notifiers: { ops: watch.ops.address, team: watch.team.address } });
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    watch.ops.answer = (_request, response) => void response.writeHead(410).end();
    watch.use(world.activities);
    const { type, message } = await watch.failure();
    assert.equal(type, 'ExpiryNoticesIncomplete');
    assert.match(message, /ops was not told: ops answers HTTP 410/);
    watch.ops.answer = (_request, response) => void response.end();
    await watch.run();
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
    assert.equal(watch.team.taken.length, 1);
  });

  it('tells again only what was given up of what a run had to tell one notifier', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.bundle = [];
    world.moveTo(watch.ca.certificate, 6);
    watch.ops.answer = ({ body }, response) => void response.writeHead(body.includes('"expiry"') ? 410 : 200).end();
    watch.use(world.activities);
    assert.match((await watch.failure()).message, /ops was not told: ops answers HTTP 410/);
    watch.ops.answer = (_request, response) => void response.end();
    await watch.run();
    await watch.run();
    const delivered = (pattern: RegExp) => titles(watch.ops).filter((title) => pattern.test(title)).length;
    assert.equal(delivered(/does not trust CA/), 1, 'the message that was taken is told again');
    assert.equal(delivered(/expires in 6 days/), 1, 'the message that was refused is not told again');
  });
});
