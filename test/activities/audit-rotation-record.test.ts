import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { brokenLink } from '../../src/audit-journal.js';
import type { RotationRecord } from '../../src/domain/audit.js';
import { entries } from '../../src/domain/ids.js';
import { rotationRecords } from '../../src/keystore/rotation-records.js';
import { runActivity } from '../support/activity-run.js';
import { eventsOf } from '../support/audited.js';
import { aWorld, type World } from '../support/fakes.js';

describe('safety 45: how a rotation ended stays beside its authority', () => {
  let world: World;
  beforeEach(async () => {
    world = await aWorld();
  });

  const authority = 'authority/booking';
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
    assert.deepEqual(eventsOf(world), [
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
