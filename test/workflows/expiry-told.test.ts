import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { Activities } from '../../src/activities/index.js';
import { RotationError } from '../../src/domain/failures.js';
import { entries } from '../../src/domain/ids.js';
import { aLeaf } from '../support/certificates.js';
import { ExpiryWatch, titles } from '../support/expiry-watch.js';
import { scan } from '../support/key-scan.js';

const day = 86_400_000;

describe('the watch over expiring certificates', () => {
  let watch: ExpiryWatch;
  before(async () => {
    watch = await ExpiryWatch.begin();
  });
  after(() => watch?.stop());
  beforeEach(() => watch.listen());
  afterEach(() => watch.hangUp());

  it('tells at the steps that the configuration names, and at no other', async () => {
    const world = watch.aWorld({ at: ['40d', '2d'] });
    await world.sign(watch.ca);
    watch.use(world.activities);
    for (const left of [50, 39.5, 20, 6, 2.5, 1.5]) {
      world.moveTo(watch.ca.certificate, left);
      await watch.run();
    }
    assert.deepEqual(
      titles(watch.ops).map((title) => title.replace(/^CA .*\) /, '')),
      ['expires in 39 days', 'expires in 36 hours'],
    );
  });

  for (const [what, record] of [
    ['something else', { told: 'everybody' }],
    ['nothing', undefined],
  ] as const) {
    it(`tells people of it, and of all that expires, when the record of what was told holds ${what}`, async () => {
      const world = watch.aWorld({ renewBefore: '30d' });
      await world.sign(watch.ca);
      world.moveTo(watch.ca.certificate, 31);
      const unreadable = { record, owner: 'schedule/cert-rotation-expiry' };
      await world.keystore.create(entries.notices, unreadable);
      watch.use(world.activities);
      const { message } = await watch.failure();
      assert.match(message, /the record of what was told: Entry notices holds something else/);
      const [told, blind] = [...titles(watch.ops)].sort();
      assert.match(told!, /^CA .* expires in 31 days$/);
      assert.equal(blind, 'The watch over expiring certificates cannot see one place');
      assert.deepEqual((await world.keystore.get(entries.notices))?.record, record);
    });
  }

  it('says what it cannot see, to people and by failing, and tells the rest', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    world.bundleFailure = new RotationError('CloudForbidden', 'Reading orders.acct1 is forbidden.');
    watch.use(world.activities);
    const { message } = await watch.failure();
    assert.match(message, /the bundle of orders\.acct1: Reading orders\.acct1 is forbidden/);
    const [told, blind] = [...titles(watch.ops)].sort();
    assert.match(told!, /^CA .* expires in 6 days$/);
    assert.equal(blind, 'The watch over expiring certificates cannot see one place');
  });

  it('runs that cannot be listed are such a place', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    world.unlisted = new Error('no visibility');
    watch.use(world.activities);
    const { message } = await watch.failure();
    assert.match(message, /The runs of ca\/orders could not be listed: no visibility/);
    assert.match(titles(watch.ops).join(), /CA .* expires in 6 days/);
  });

  it('asks a place that does not answer again before it goes on without it', async () => {
    const world = watch.aWorld();
    world.bundle = [watch.foreign.certificate];
    world.moveTo(watch.foreign.certificate, 6);
    let asked = 0;
    world.bundleFailure = new RotationError('CloudUnavailable', 'No answer.');
    const takeNotices: Activities['takeNotices'] = (request) => {
      asked += 1;
      if (asked === 3) world.bundleFailure = undefined;
      return world.activities.takeNotices(request);
    };
    watch.use({ ...world.activities, takeNotices });
    await watch.run();
    assert.equal(asked, 3);
    assert.equal(titles(watch.ops).length, 1);
    world.bundleFailure = new RotationError('CloudUnavailable', 'No answer.');
    watch.use(world.activities);
    assert.match((await watch.failure()).message, /the bundle of orders\.acct1: No answer/);
  });

  it('tells of an authority those who are named there, and of other people’s CAs those named for that', async () => {
    const notifiers = { ops: watch.ops.address, team: watch.team.address };
    const world = watch.aWorld({ notifiers, notify: ['team'], notifyOfForeign: ['ops'] });
    await world.sign(watch.ca);
    world.bundle = [...world.bundle, watch.foreign.certificate];
    world.moveTo(watch.ca.certificate, 6);
    watch.use(world.activities);
    await watch.run();
    assert.match(titles(watch.team).join(), /^CA .*O=Acme\) expires/);
    assert.match(titles(watch.ops).join(), /^CA .*O=Somebody else\) expires/);
  });

  it('tells of a leaf only once its schedule is late', async () => {
    const world = watch.aWorld();
    world.leaf = await aLeaf(watch.ca, { lifetimeMs: 30 * day });
    watch.use(world.activities);
    for (const left of [29, 14, 9.5, 7.5, 6.9]) {
      world.moveTo(world.leaf!.certificate, left);
      await watch.run();
    }
    assert.deepEqual(
      titles(watch.ops).map((title) => title.replace(/^Leaf .*\) /, '')),
      ['expires in 6 days'],
    );
  });

  it('tells of the certificate that the rotation worker itself connects with, though it is no target', async () => {
    const world = watch.aWorld();
    world.own = (await aLeaf(watch.foreign)).certificate;
    watch.use(world.activities);
    world.moveTo(world.own, 0.5);
    await watch.run();
    assert.match(titles(watch.ops).join(), /^Leaf \w{8} .* expires in 12 hours$/);
    await watch.run();
    assert.equal(watch.ops.taken.length, 1);
  });

  it('costs one activity where there is nothing to tell, and keeps no record without notifiers', async () => {
    const world = watch.aWorld({ notifiers: {} });
    await world.sign(watch.ca);
    world.moveTo(watch.ca.certificate, 6);
    watch.use(world.activities);
    await watch.run();
    const { events } = await watch.history();
    assert.equal(events?.filter((event) => event.activityTaskScheduledEventAttributes).length, 1);
    assert.equal(await world.keystore.get(entries.notices), undefined);
  });

  it('safety 8: no key is in its history, its record or its messages', async () => {
    const world = watch.aWorld();
    await world.sign(watch.ca);
    world.leaf = await aLeaf(watch.ca, { lifetimeMs: 30 * day });
    world.moveTo(world.leaf.certificate, 0);
    watch.use(world.activities);
    await watch.run();
    const history = await watch.history();
    const places = [
      { name: 'history', content: Buffer.from(historyToJSON(history)) },
      { name: 'record', content: Buffer.from(JSON.stringify(await world.keystore.get(entries.notices))) },
      ...watch.ops.taken.map((request) => ({ name: 'message', content: Buffer.from(JSON.stringify(request)) })),
    ];
    assert.equal(watch.ops.taken.length, 1);
    assert.deepEqual(scan(places, [watch.ca.key.keyObject(), world.leaf.key.keyObject()]), []);
  });
});
