import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RemovalApproval } from '../../src/activities/removal.js';
import { AskedRotation, day, hour, seen, untimed } from '../support/asked-rotation.js';
import { automatic, evidence, failing, gate, plan } from '../support/fake-activities.js';
import { refusalOf, typeOf } from '../support/failures.js';

describe('safety 40: an approval is bound to the evidence that was shown', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin();
  });
  after(() => rotation?.stop());

  it('the status shows the evidence and what cannot be seen', async () => {
    await rotation.start();
    const { question } = await rotation.reach('approve');
    assert.equal(question?.evidence, seen.evidence);
    assert.deepEqual(question?.facts, evidence().facts);
    assert.match(question?.unseen.join() ?? '', /clients that never poll.*attested by ann/);
    await rotation.handle.signal('rejectCaRemoval', seen);
    await rotation.result();
    assert.equal((await rotation.status()).question, undefined);
  });

  it('an approval that names none is for what the question shows', async () => {
    await rotation.start();
    await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', { who: 'ann', why: 'seen' });
    assert.equal((await rotation.result()).decision?.evidence, seen.evidence);
  });

  it('an approval for other evidence does not count; the first characters of the digest suffice', async () => {
    await rotation.start();
    await rotation.reach('approve');
    const { evidence: digest } = seen;
    const refusal = (sent: object) => refusalOf(rotation.decide('approve', sent));
    assert.match(await refusal({ ...seen, evidence: 'b'.repeat(64) }), /what is shown now is aaaaaaaaaaaa: look again/);
    assert.match(await refusal({ ...seen, evidence: digest.slice(0, 4) }), /look again/);
    await rotation.handle.signal('approveCaRemoval', { ...seen, evidence: 'b'.repeat(64) });
    assert.match(
      (await rotation.status()).problems.join(),
      /Ignored "approve" of ann: it is for evidence bbbbbbbbbbbb/,
    );
    await rotation.decide('approve', { ...seen, evidence: digest.slice(0, 12).toUpperCase() });
    assert.equal((await rotation.result()).decision?.evidence, digest);
  });

  it('evidence that changed voids it: both CAs stay trusted, what changed is named, and people are asked anew', async () => {
    const digests = [seen.evidence, 'b'.repeat(64)];
    let removals = 0;
    await rotation.start({
      gatherEvidence: async () => evidence({ digest: digests[removals]! }),
      removeCa: async () => ((removals += 1) === 1 ? failing('EvidenceChanged')() : { lines: [] }),
    });
    await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', seen);
    await rotation.tests.eventually(async () => (await rotation.status()).question?.evidence === digests[1]);
    assert.match((await rotation.status()).problems.join(), /The approval of ann is void\. planted EvidenceChanged/);
    const names = rotation.names();
    assert.deepEqual(names.slice(names.indexOf('removeCa') + 1), [
      'restoreTrust',
      'keepBothCas',
      'trustCa',
      'resolveCaRotation',
      'gatherEvidence',
    ]);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.match(
      (await rotation.status()).problems.join(),
      /Ignored "approve" of ann: it is for evidence aaaaaaaaaaaa/,
    );
    await rotation.handle.signal('approveCaRemoval', { who: 'ann', why: 'seen' });
    assert.match(
      (await rotation.status()).problems.join(),
      /of ann: the evidence changed, say what you approve: .*bbbbbbbbbbbb/,
    );
    await rotation.handle.signal('approveCaRemoval', { who: 'bob', evidence: digests[1] });
    const { outcome, decision } = await rotation.result();
    assert.deepEqual([outcome, decision?.who], ['rotated', 'bob']);
  });

  it('a bundle that somebody puts back while people are asked voids the question within an hour: all are told, and asked anew', async () => {
    const changes = ['no longer: namespace booking.acct trusts CA new-ca'];
    const notifiers = [{ notifier: 'ops', events: ['approvalWanted'] }] as const;
    let looks = 0;
    let gathered = 0;
    await rotation.start(
      {
        trustCa: async () => ([0, 3].includes(looks) ? { operationId: 'operation' } : {}),
        gatherEvidence: async () => ((gathered += 1), evidence({ digest: `${gathered}`.repeat(64) })),
        compareTrust: async () => ({ changes: (looks += 1) === 3 ? changes : [] }),
      },
      { notifiers },
    );
    await rotation.reach('approve');
    const asked = await rotation.tests.env.currentTimeMs();
    await rotation.tests.env.sleep(3.5 * hour);
    const { problems, question } = await rotation.reach('approve');
    assert.match(problems.join(), /The question is void\..*no longer: namespace booking\.acct trusts CA new-ca/);
    assert.match(problems.join(), /somebody else took out CA new-ca; it was added again/);
    assert.equal(question?.evidence, '2'.repeat(64));
    assert.ok(Date.parse(question.until) >= asked + 5 * day + 3 * hour);
    await rotation.handle.signal('approveCaRemoval', { ...seen, evidence: '1'.repeat(64) });
    await rotation.handle.signal('approveCaRemoval', { ...seen, evidence: '2'.repeat(64) });
    assert.equal((await rotation.result()).decision?.evidence, '2'.repeat(64));
    assert.match(rotation.told().join('\n'), /the question whether the old CA may be removed is void$/m);
    const looked = rotation.fakes.calls.find(({ name }) => name === 'compareTrust')!;
    assert.deepEqual(looked.input['facts'], evidence().facts, 'compared with something else than was shown');
  });

  it('a question that was void is answered by a person, though the policy would approve by itself', async () => {
    let gathered = 0;
    const unknownPollers = ['stranger (booking)'];
    await rotation.start(
      {
        gatherEvidence: async () => evidence((gathered += 1) === 1 ? { unknownPollers } : {}),
        compareTrust: async () => ({
          changes: gathered === 1 ? ['no longer: namespace booking.acct trusts CA x'] : [],
        }),
      },
      { approval: automatic },
    );
    await rotation.reach('approve');
    await rotation.tests.env.sleep(1.5 * hour);
    await rotation.tests.eventually(async () => gathered === 2);
    const { problems } = await rotation.reach('approve');
    assert.match(problems.join(), /In doubt, so a person is asked: Somebody else changed what is trusted/);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).decision?.who, 'ann');
  });

  it('once people decided nobody looks any more, however long the removal waits for its window', async () => {
    let windows = 0;
    await rotation.start(
      {
        nextWindow: async () => ({
          by: 'window',
          line: 'removals begin later',
          waitMs: (windows += 1) === 1 ? 3 * hour : 0,
        }),
      },
      { windowed: true },
    );
    await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
    assert.ok(windows > 1, 'the window was not waited for');
    const looks = rotation.fakes.calls.filter(({ name }) => name === 'compareTrust').length;
    assert.equal(looks, 0);
  });

  it('a decision on a question that is void is refused, not taken and forgotten', async () => {
    const { opened, open } = gate();
    let reads = 0;
    await rotation.start({
      compareTrust: async () => ({ changes: reads < 3 ? ['new: namespace booking.acct trusts CA other'] : [] }),
      resolveCaRotation: async ({ authority }) => {
        if ((reads += 1) === 3) await opened;
        return plan(authority);
      },
    });
    await rotation.reach('approve');
    await rotation.tests.env.sleep(hour);
    await rotation.tests.eventually(async () => reads === 3);
    const answer = await refusalOf(rotation.decide('reject', { who: 'bob', why: 'not today' }));
    open();
    assert.match(answer, /nothing is asked/);
    const { question } = await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', { ...seen, evidence: question!.evidence });
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('a decision that comes after the deadline is refused, however long the end takes', async () => {
    const { opened, open } = gate();
    await rotation.start({ recordRotation: async () => opened });
    await rotation.reach('approve');
    await rotation.tests.env.sleep(5 * day);
    await rotation.tests.eventually(async () => rotation.fakes.calls.some(({ name }) => name === 'recordRotation'));
    const answer = await refusalOf(rotation.decide('approve', seen));
    open();
    assert.match(answer, /nothing is asked/);
    assert.equal(typeOf(await rotation.failure()), 'ApprovalExpired');
  });

  it('a namespace that cannot be looked at while people are asked is said, and voids nothing', async () => {
    const compareTrust = failing('CloudForbidden');
    await rotation.start({ compareTrust });
    await rotation.reach('approve');
    await rotation.tests.env.sleep(2.5 * hour);
    const { problems } = await rotation.status();
    assert.equal(problems.length, 1, 'said once');
    assert.match(problems[0]!, /could not be seen what the namespaces trust now: planted/);
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('the removal is told what it was approved on, and by whom', async () => {
    await rotation.start();
    await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', seen);
    await rotation.result();
    const { input } = rotation.fakes.calls.find(({ name }) => name === 'removeCa')!;
    const { decision, ...others } = input['approval'] as RemovalApproval;
    assert.deepEqual(untimed(decision), { decision: 'approve', ...seen, identity: 'claimed' });
    assert.deepEqual(others, { facts: evidence().facts, changedByUs: [] });
  });
});
