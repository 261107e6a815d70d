import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { expiring, type Sighting } from '../../src/domain/expiry.js';
import {
  claim,
  forget,
  isToTell,
  markTold,
  newsOfExpiry,
  mostAtOnce,
  nothingTold,
  openRuns,
  parseNoticeRecord,
  release,
  settle,
  untold,
  type NoticeRecord,
  type Run,
} from '../../src/domain/notices.js';
import { aWatched, before, day, inBundle, steps } from '../support/sightings.js';

const notifier = 'ops';
const aRun = (runId: string): Run => ({ workflowId: 'expiry-notices', runId });

/** What a run at that time claims, and the record after it. */
function runAt(record: NoticeRecord, left: number, run: string, sightings: readonly Sighting[]) {
  const toTell = { notifier, run: aRun(run), news: expiring(sightings, steps, before(left)).map(newsOfExpiry) };
  const after = claim(record, toTell);
  return {
    after,
    told: untold(after, toTell).map(({ about: { certificate, step } }) => `${certificate.subject} ${step / day}`),
  };
}

describe('what is told of an expiring certificate', () => {
  const ca = inBundle(aWatched('ca'));

  it('is each step once, whenever the watch runs and however often', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -10 * day, max: 70 * day }), { maxLength: 60 }), (lefts) => {
        const times = lefts.sort((a, b) => b - a);
        let record = nothingTold;
        const told: string[] = [];
        times.forEach((left, index) => {
          const run = runAt(record, left, `run-${index}`, [ca]);
          record = run.after;
          told.push(...run.told);
        });
        assert.equal(new Set(told).size, told.length, `told twice: ${told.join(', ')}`);
        const reached = times.flatMap((left) =>
          expiring([ca], steps, before(left)).map(({ step }) => `O=ca ${step / day}`),
        );
        assert.deepEqual(told, [...new Set(reached)]);
      }),
    );
  });

  it('is all steps, in their order, where the watch runs daily', () => {
    let record = nothingTold;
    const told: string[] = [];
    for (let left = 90; left > -5; left -= 1) {
      const run = runAt(record, left * day, `run-${left}`, [ca]);
      record = run.after;
      told.push(...run.told);
    }
    assert.deepEqual(told, ['O=ca 60', 'O=ca 30', 'O=ca 14', 'O=ca 7', 'O=ca 3', 'O=ca 1', 'O=ca 0']);
  });

  it('is only the most urgent step where several were missed', () => {
    assert.deepEqual(runAt(nothingTold, 2 * day, 'run-1', [ca]).told, ['O=ca 3']);
  });

  it('is nothing once it was renewed, and nothing of its successor', () => {
    const first = runAt(nothingTold, 29 * day, 'run-1', [ca]);
    assert.deepEqual(first.told, ['O=ca 30']);
    const successor = inBundle(aWatched('successor', { endMs: Date.parse(ca.certificate.notAfter) + 335 * day }));
    assert.deepEqual(runAt(first.after, 13 * day, 'run-2', [successor]).told, []);
  });

  it('is told again by a retry of the same run, which has told nobody, and by no other run', () => {
    const { after, told } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    assert.deepEqual(runAt(after, 13 * day, 'run-1', [ca]), { after, told });
    assert.deepEqual(runAt(after, 13 * day, 'run-2', [ca]), { after, told: [] });
  });

  it('is left to the next run where the message was given up, and only what that one was about', () => {
    const other = inBundle(aWatched('other'));
    const both = [ca, other];
    const { after } = runAt(nothingTold, 13 * day, 'run-1', both);
    const ids = [ca.certificate.fingerprint];
    assert.equal(release(after, { notifier, run: aRun('another'), ids }), after);
    assert.equal(release(after, { notifier: 'another', run: aRun('run-1'), ids }), after);
    assert.equal(release(after, { notifier, run: aRun('run-1'), ids: [] }), after);
    const open = release(after, { notifier, run: aRun('run-1'), ids });
    assert.deepEqual(runAt(open, 12 * day, 'run-2', both).told, ['O=ca 14']);
  });

  it('is left to the next run where the run that claimed it was broken off, whoever it was for', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    const open = settle(after, new Map([['run-1', 'lost']]));
    assert.deepEqual(open, nothingTold);
    assert.deepEqual(runAt(open, 13 * day, 'run-2', [ca]).told, ['O=ca 14']);
  });

  it('is told, and nobody asks for the run again, once that ended by itself', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    assert.deepEqual(openRuns(after), [aRun('run-1')]);
    const settled = settle(after, new Map([['run-1', 'told']]));
    assert.deepEqual(openRuns(settled), []);
    assert.deepEqual(runAt(settled, 13 * day, 'run-2', [ca]).told, []);
    assert.deepEqual(runAt(settled, 6 * day, 'run-2', [ca]).told, ['O=ca 7']);
  });

  it('is told once its message was taken, though its run is broken off later; the rest of what that run claimed is not', () => {
    const other = inBundle(aWatched('other'));
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca, other]);
    const message = { notifier, run: aRun('run-1'), ids: [ca.certificate.fingerprint] };
    assert.ok(isToTell(after, message));
    const told = markTold(after, message);
    assert.ok(!isToTell(told, message), 'a retry would tell it again');
    const next = settle(told, new Map([['run-1', 'lost']]));
    assert.deepEqual(runAt(next, 12 * day, 'run-2', [ca, other]).told, ['O=other 14']);
  });

  it('is not told by a message of a run that has lost it to another', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-2', [ca]);
    const late = { notifier, run: aRun('run-1'), ids: [ca.certificate.fingerprint] };
    assert.ok(!isToTell(after, late));
    assert.equal(markTold(after, late), after);
    assert.equal(markTold(after, { ...late, run: aRun('run-2'), notifier: 'another' }), after);
  });

  it('stays with a run that is under way', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    assert.equal(settle(after, new Map([['another', 'lost']])), after);
  });

  it('is nothing less urgent than what was told, where the configuration drops a step', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    const toTell = {
      notifier,
      run: aRun('run-2'),
      news: expiring([ca], [60 * day, 30 * day], before(12 * day)).map(newsOfExpiry),
    };
    assert.deepEqual(untold(after, toTell), []);
  });

  it('is told by each notifier on its own', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    const other = {
      notifier: 'other',
      run: aRun('run-2'),
      news: expiring([ca], steps, before(13 * day)).map(newsOfExpiry),
    };
    assert.equal(untold(after, other).length, 1);
    assert.deepEqual(Object.keys(claim(after, other).told).sort(), ['ops', 'other']);
  });

  it('is so much at once and no more, the most urgent first, and the rest by the next run', () => {
    const many = Array.from({ length: mostAtOnce + 5 }, (_, index) =>
      inBundle(aWatched(`ca-${index}`, { endMs: Date.parse(ca.certificate.notAfter) + index * 1000 })),
    );
    const first = runAt(nothingTold, 13 * day, 'run-1', many);
    assert.equal(first.told.length, mostAtOnce);
    assert.equal(first.told[0], 'O=ca-0 14');
    assert.equal(runAt(first.after, 13 * day, 'run-2', many).told.length, 5);
  });
});

describe('the record of what was told', () => {
  const ca = inBundle(aWatched('ca'));
  const { after: record } = runAt(nothingTold, 0, 'run-1', [ca]);
  const { fingerprint } = ca.certificate;

  it('is not written again where nothing is new', () => {
    assert.equal(runAt(record, -day, 'run-2', [ca]).after, record);
    assert.equal(forget(record, { notifiers: [notifier], ids: new Set([fingerprint]), now: before(-day) }), record);
  });

  it('forgets what has expired and is gone, and what a notifier that is gone was told', () => {
    const gone = { notifiers: [notifier], ids: new Set<string>(), now: before(-day) };
    assert.deepEqual(forget(record, gone), nothingTold);
    const unconfigured = { notifiers: [], ids: new Set([fingerprint]), now: before(-day) };
    assert.deepEqual(forget(record, unconfigured), nothingTold);
  });

  it('is known as one when it is read again, and nothing else is', () => {
    assert.deepEqual(parseNoticeRecord(JSON.parse(JSON.stringify(record))), record);
    for (const other of [
      undefined,
      null,
      'text',
      [],
      {},
      { told: null },
      { told: { ops: 1 } },
      { told: { ops: { a: 1 } } },
    ])
      assert.equal(parseNoticeRecord(other), undefined, JSON.stringify(other));
  });

  it('remembers what is gone as long as it could come back, and what is still there after its end', () => {
    const { after } = runAt(nothingTold, 13 * day, 'run-1', [ca]);
    const gone = { notifiers: [notifier], ids: new Set<string>(), now: before(12 * day) };
    assert.equal(forget(after, gone), after);
  });
});
