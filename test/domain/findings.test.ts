import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findingsOf, findingsText, stagedFinding, type AuthorityFacts } from '../../src/domain/findings.js';
import type { CaRotationRequest } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';

const old = certificateFacts('old');
const next = certificateFacts('next');

/** An authority at rest: its CA signs and is trusted, its last rotation ended well. */
function facts(changes: Partial<AuthorityFacts> = {}): AuthorityFacts {
  return {
    authority: 'orders',
    record: { generation: 1, current: 'old', signing: 'old' },
    chains: new Map(),
    lastRun: { runId: 'run-1', status: 'COMPLETED' },
    ended: [],
    bundles: new Map([['orders.acct', [old]]]),
    exposures: [],
    resume: false,
    ...changes,
  };
}

const overlap = { generation: 2, current: 'old', next: 'next', signing: 'old', rotation: 'run-2' } as const;
const both = new Map([['orders.acct', [old, next]]]);
const terminated = { runId: 'run-2', status: 'TERMINATED' };
const titles = (changes: Partial<AuthorityFacts>) => findingsOf(facts(changes)).map(({ title }) => title);
const cutShort = 'The CA rotation of orders was cut short';

describe('safety 27: what nobody is at work on is found from facts', () => {
  it('nothing where an authority is at rest', () => assert.deepEqual(findingsOf(facts()), []));

  for (const [what, record, says] of [
    ['a CA that was made and signs nothing yet', overlap, /CA next was made; leaves still come from CA old/],
    ['a CA that signs', { ...overlap, signing: 'next' }, /CA next signs leaves; CA old is still to be removed/],
    ['a removal', { ...overlap, signing: 'next', retiring: 'old' }, /the removal of CA old had begun/],
  ] as const) {
    it(`a rotation that was terminated and left ${what}: how it goes on is said`, () => {
      const [finding, ...more] = findingsOf(facts({ record, bundles: both, lastRun: terminated }));
      assert.equal(finding?.title, cutShort);
      assert.match(finding.lines.join(' '), says);
      assert.match(finding.lines.join(' '), /its last run: terminated.* goes on with CA next; it makes no other/);
      assert.equal(finding.command, 'cert-rotation rotate ca orders');
      assert.deepEqual(more, []);
    });
  }

  it('a rotation that timed out, and one that Temporal knows no more and whose end is not on record', () => {
    const timedOut = { runId: 'run-2', status: 'TIMED_OUT' };
    assert.deepEqual(titles({ record: overlap, bundles: both, lastRun: timedOut }), [cutShort]);
    assert.deepEqual(titles({ record: overlap, bundles: both, lastRun: undefined }), [cutShort]);
  });

  it('not one that ended by itself: people were told then', () => {
    const failed = { runId: 'run-2', status: 'FAILED' };
    assert.deepEqual(titles({ record: overlap, bundles: both, lastRun: failed }), []);
    const ended = [{ runId: 'run-2', outcome: 'keptBoth', endedAt: '2026-11-24T10:00:00.000Z' }] as const;
    assert.deepEqual(titles({ record: overlap, bundles: both, lastRun: undefined, ended }), []);
  });

  it('also one that the watch has put on record since: nobody was told by that', () => {
    const ended = [{ runId: 'run-2', outcome: 'terminated', endedAt: '2026-11-24T10:00:00.000Z' }] as const;
    assert.deepEqual(titles({ record: overlap, bundles: both, lastRun: undefined, ended }), [cutShort]);
  });

  it('where it is to be resumed, that is said, with what ends it instead; what ended by itself is not', () => {
    const request = { authority: 'orders', who: 'ada' };
    const cut = { record: overlap, bundles: both, resume: true, cutRun: { request, aborting: false, made: true } };
    const [finding] = findingsOf(facts({ ...cut, lastRun: terminated }));
    assert.match(
      finding!.lines.join(' '),
      /started again now and goes on with CA next.*end it instead: cert-rotation abort/,
    );
    assert.deepEqual([finding!.command, finding!.resumes], ['cert-rotation status orders', request]);
    assert.equal(findingsOf(facts({ ...cut, cutRun: undefined, lastRun: undefined }))[0]?.resumes, undefined);
    for (const status of ['FAILED', 'CANCELLED', 'COMPLETED'])
      assert.deepEqual(findingsOf(facts({ ...cut, lastRun: { runId: 'run-2', status } })), []);
    const staged = { entry: 'leaf.worker.run-9', target: 'worker', authority: 'orders', lastRun: terminated };
    const leaf = { ...staged, resume: true, isMoved: false };
    const left = (request: object, more: object = {}) =>
      stagedFinding({ ...leaf, cutRun: { request: { target: 'worker', ...request } }, ...more })[0]?.resumes;
    assert.deepEqual(left({ onlyWhenDue: true, urgent: true }), { target: 'worker', urgent: true });
    assert.equal(left({}, { isMoved: true }), undefined, 'the CA rotation is at it');
    assert.equal(left({ ca: 'next' }), undefined, 'it was part of a CA rotation');
    assert.equal(stagedFinding(leaf)[0]?.resumes, undefined, 'nobody knows what it was asked for');
  });

  it('safety 43: an emergency stays one for the CA in use; a CA that leaked as the next one marks no other', () => {
    const emergency = { who: 'ada', why: 'leaked', leaked: 'both' } as const;
    const request = { authority: 'orders', who: 'ada' };
    const resumed = (compromised: readonly string[], asked: CaRotationRequest) =>
      findingsOf(
        facts({
          record: { ...overlap, compromised },
          bundles: both,
          resume: true,
          lastRun: terminated,
          cutRun: { request: asked, aborting: false, made: true },
        }),
      )[0]?.resumes;
    assert.deepEqual(resumed(['old', 'earlier'], { ...request, emergency }), {
      ...request,
      emergency: { ...emergency, leaked: 'current' },
    });
    assert.deepEqual(resumed(['earlier'], { ...request, emergency }), request);
    assert.equal(resumed(['old'], request), undefined, 'declared while it ran: that is for people to say again');
  });

  it('one that had changed nothing yet is told, and not resumed; not one that was cut short at its very end', () => {
    const request = { authority: 'orders' };
    const found = (made: boolean) =>
      findingsOf(facts({ resume: true, lastRun: terminated, cutRun: { request, aborting: false, made } }));
    const [finding, ...more] = found(false);
    assert.equal(finding?.title, cutShort);
    assert.match(finding.lines.join(' '), /its last run: terminated.* It had changed nothing/);
    assert.deepEqual([finding.resumes, finding.command, more], [undefined, 'cert-rotation rotate ca orders', []]);
    assert.deepEqual(found(true), []);
  });

  it('what a person was aborting is not resumed: it is said how it ends', () => {
    const cutRun = { request: { authority: 'orders' }, aborting: true, made: true };
    const [finding] = findingsOf(facts({ record: overlap, bundles: both, resume: true, lastRun: terminated, cutRun }));
    assert.equal(finding?.resumes, undefined);
    assert.match(
      finding!.lines.join(' '),
      /was being aborted: start it, and then cert-rotation abort orders once more/,
    );
    assert.equal(finding!.command, 'cert-rotation rotate ca orders');
    const record = { ...overlap, retiring: 'next' };
    const known = { request: { authority: 'orders' }, aborting: false, made: true };
    const [late] = findingsOf(facts({ record, bundles: both, resume: true, lastRun: terminated, cutRun: known }));
    assert.equal(late?.resumes, undefined);
  });

  it('another rotation that is cut short is another finding', () => {
    const one = findingsOf(facts({ record: overlap, bundles: both, lastRun: terminated }));
    const record = { ...overlap, rotation: 'run-3' };
    const other = findingsOf(facts({ record, bundles: both, lastRun: { runId: 'run-3', status: 'TERMINATED' } }));
    assert.notEqual(one[0]?.id, other[0]?.id);
  });

  describe('safety 43: a compromised CA that is still trusted while no rotation is at work', () => {
    const exposures = [{ ca: 'old', namespaces: ['orders.acct'], targets: ['worker'] }];
    const compromised = { generation: 1, current: 'old', signing: 'old', compromised: ['old'] };

    it('is found, with what it still opens and the command that ends it', () => {
      const [finding, ...more] = findingsOf(facts({ record: compromised, exposures, lastRun: terminated }));
      assert.equal(finding?.title, 'CA old of orders is compromised and still trusted');
      assert.equal(finding.event, 'emergency');
      assert.match(finding.lines.join(' '), /trusted by 1 namespace \(orders\.acct\).*still on a leaf of it: worker/);
      assert.match(finding.lines.join(' '), /ca\/orders does not run \(its last run: terminated\)/);
      assert.equal(finding.command, 'cert-rotation emergency ca orders --who <you> --why <reason>');
      assert.deepEqual(more, []);
    });

    it('by an ordinary rotation where the CA in use is clean: an emergency would take that one for compromised', () => {
      const record = { generation: 2, current: 'old', signing: 'old', compromised: ['next'] };
      const [finding] = findingsOf(facts({ record, bundles: both, exposures: [{ ...exposures[0]!, ca: 'next' }] }));
      assert.equal(finding?.command, 'cert-rotation rotate ca orders');
    });

    it('not once no namespace trusts it, and nobody is told to put it back', () => {
      const gone = facts({ record: compromised, exposures: [{ ca: 'old', namespaces: [], targets: [] }] });
      assert.deepEqual(findingsOf(gone), []);
      const [cutOff] = findingsOf({ ...gone, bundles: new Map([['orders.acct', []]]) });
      assert.match(cutOff!.lines.join(' '), /It is compromised, and stays out/);
    });
  });

  it('a bundle that somebody put back: the CA that leaves come from is not trusted any more', () => {
    const record = { ...overlap, signing: 'next' };
    const ended = [{ runId: 'run-2', outcome: 'keptBoth', endedAt: '2026-11-24T10:00:00.000Z' }] as const;
    const reverted = { record, ended, lastRun: undefined };
    assert.deepEqual(titles(reverted), ['orders.acct does not trust CA next of orders any more']);
    assert.deepEqual(titles({ ...reverted, bundles: both }), []);
    assert.deepEqual(titles({ bundles: new Map([['orders.acct', []]]) }), [
      'orders.acct does not trust CA old of orders any more',
    ]);
  });

  it('not a CA whose root is trusted, one that is being removed, or a bundle that could not be read', () => {
    const root = certificateFacts('root');
    const chains = new Map([['old', ['old', 'root']]]);
    assert.deepEqual(titles({ chains, bundles: new Map([['orders.acct', [root]]]) }), []);
    const retiring = { ...overlap, signing: 'next', retiring: 'old' };
    const removed = new Map([['orders.acct', [next]]]);
    assert.deepEqual(titles({ record: retiring, bundles: removed, lastRun: terminated }), [cutShort]);
    assert.deepEqual(titles({ bundles: new Map() }), []);
  });

  it('a CA that a rotation removed and somebody put back, with the command that takes it out', () => {
    const record = { generation: 2, current: 'next', signing: 'next' };
    const result = { authority: 'orders', outcome: 'rotated', oldFingerprint: 'old', leaves: [] } as const;
    const ended = [{ runId: 'run-2', outcome: 'rotated', endedAt: '2026-11-24T10:00:00.000Z', result }] as const;
    const [finding, ...more] = findingsOf(facts({ record, ended, bundles: both }));
    assert.equal(finding?.title, 'orders.acct trusts CA old of orders again');
    assert.match(finding.lines.join(' '), /removed it on 2026-11-24/);
    assert.match(
      finding.command,
      new RegExp(`^tcld namespace accepted-client-ca remove -n orders.acct --fp ${old.sha1}`),
    );
    assert.deepEqual(more, []);
    assert.deepEqual(titles({ record, ended, bundles: new Map([['orders.acct', [next]]]) }), []);
  });

  it('a leaf that a rotation left on its way, unless that one runs or ended by itself', () => {
    const staged = { entry: 'leaf.worker.run-9', target: 'worker', authority: 'orders', resume: false, isMoved: false };
    const found = (status: string | undefined) =>
      stagedFinding({ ...staged, lastRun: status === undefined ? undefined : { runId: 'run-9', status } });
    assert.equal(found('TERMINATED')[0]?.title, 'The leaf rotation of worker was cut short');
    assert.equal(found('TIMED_OUT')[0]?.command, 'cert-rotation rotate leaf worker');
    assert.equal(found(undefined).length, 1);
    for (const status of ['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED']) assert.deepEqual(found(status), [], status);
  });

  it('several are one message, each with what to do', () => {
    const all = findingsOf(
      facts({ record: overlap, bundles: new Map([['orders.acct', [next]]]), lastRun: terminated }),
    );
    const { title, lines, commands } = findingsText(all);
    assert.equal(title, `${cutShort}, and 1 more that nobody is at work on`);
    assert.equal(lines.length, 2);
    assert.deepEqual(commands, ['cert-rotation rotate ca orders']);
  });
});
