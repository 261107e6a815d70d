import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { RemovalApproval } from '../../src/activities/removal.js';
import type { Decision } from '../../src/domain/approval.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';
import {
  automatic,
  evidence,
  failing,
  fakeActivities,
  gate,
  plan,
  type FakeActivities,
} from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

const day = 86_400_000;

describe('approval of a removal', () => {
  let tests: WorkflowTests;
  let count = 0;
  let fakes: FakeActivities;
  let handle: WorkflowHandle;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  async function start(activities: FakeActivities = fakeActivities()): Promise<void> {
    const authority = `authority-${(count += 1)}`;
    fakes = activities;
    tests.use(fakes);
    handle = await tests.start('caRotation', caRotationId(authority), { authority });
  }

  const status = () => handle.query<RotationStatus>('status');
  const result = () => handle.result() as Promise<CaRotationResult>;
  const { digest } = evidence();
  const ann = { who: 'ann', why: 'looks good', evidence: digest };
  const claimed = { ...ann, identity: 'claimed' };
  const untimed = ({ at: _at, ...decision }: Partial<Decision> = {}) => decision;

  describe('in phase approve', () => {
    beforeEach(async () => {
      await start();
      await tests.reach(handle, 'approve');
    });

    it('a signal approves, and the result says who, when and why', async () => {
      const before = new Date(await tests.env.currentTimeMs()).toISOString();
      await handle.signal('approveCaRemoval', ann);
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, untimed(decision)], ['rotated', { decision: 'approve', ...claimed }]);
      assert.ok(decision!.at! >= before, decision!.at);
      assert.ok(fakes.names().includes('removeCa'));
    });

    it('safety 12: a signal rejects: both CAs stay trusted, the pointer stays on the new CA, nothing is removed', async () => {
      await handle.signal('rejectCaRemoval', { who: 'bob', why: 'not today' });
      const { outcome, reason, decision } = await result();
      assert.deepEqual([outcome, decision?.decision], ['keptBoth', 'reject']);
      assert.match(reason!, /bob rejected the removal: not today\. Both CAs stay trusted/);
      assert.equal(fakes.names().at(-1), 'gatherEvidence');
    });

    it('an update does the same, and answers', async () => {
      const answer = await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...ann }] });
      assert.deepEqual(answer, { accepted: true, phase: 'approve', decided: true });
      assert.deepEqual(untimed((await result()).decision), { decision: 'approve', ...claimed });
    });

    it('an update rejects', async () => {
      await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'reject', who: 'bob', why: '' }] });
      assert.equal((await result()).outcome, 'keptBoth');
    });

    it('safety 30: a bad update is refused with the reason, and a correct one works', async () => {
      const bad: [unknown, RegExp][] = [
        [null, /send \{"who"/],
        ['yes', /send \{"who"/],
        [{ decision: 'approve' }, /"who" must name/],
        [{ decision: 'approve', who: 'ann', why: 7 }, /"why" must be a text/],
        [{ decision: 'perhaps', who: 'ann' }, /"decision" must be/],
      ];
      for (const [payload, refusal] of bad) {
        const error: unknown = await handle
          .executeUpdate<unknown, [unknown]>('decideCaRemoval', { args: [payload] })
          .catch((reason: unknown) => reason);
        assert.ok(error instanceof WorkflowUpdateFailedError, JSON.stringify(payload));
        assert.match(rootOf(error).message, refusal);
      }
      await handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...ann }] });
      assert.equal((await result()).outcome, 'rotated');
    });

    it('safety 30: signals without or with a bad payload are shown in the status, and a correct one works', async () => {
      const bare = { who: 'ann' };
      const payloads = [undefined, null, 'garbage', 7, [], { who: '' }, { ...bare, why: {} }, { ...bare, evidence: 7 }];
      for (const payload of payloads) {
        await handle.signal('approveCaRemoval', ...(payload === undefined ? [] : [payload]));
      }
      const { problems, phase } = await status();
      assert.equal(problems.filter((line) => line.startsWith('Ignored "approve"')).length, payloads.length);
      assert.equal(phase, 'approve');
      await handle.signal('approveCaRemoval', ann);
      assert.equal((await result()).outcome, 'rotated');
    });
  });

  it('safety 30: a decision before it is asked for is shown and does not count', async () => {
    const { opened, open } = gate();
    const preflightCa = async () => opened.then(() => ({ lines: [] }));
    await start(fakeActivities({ preflightCa }));
    await tests.eventually(async () => fakes.names().includes('preflightCa'));
    await handle.signal('approveCaRemoval', { ...ann, who: 'early' });
    const refused: unknown = await handle
      .executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', who: 'early' }] })
      .catch((error: unknown) => error);
    assert.match(rootOf(refused).message, /nothing is asked in phase preflight/);
    open();
    const { problems } = await tests.reach(handle, 'approve');
    assert.match(problems.join(), /Ignored "approve" of early: nothing is asked in phase preflight/);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).decision?.who, 'ann');
  });

  it('safety 30: the first valid decision counts; a duplicate and a contradiction are shown', async () => {
    const { opened, open } = gate();
    const markRetiring = async () => opened;
    await start(fakeActivities({ markRetiring }));
    await tests.reach(handle, 'approve');
    // Sent together, so that they arrive while the first is being taken.
    await Promise.all([
      handle.signal('approveCaRemoval', ann),
      tests.eventually(async () => fakes.names().includes('markRetiring')),
    ]);
    await handle.signal('approveCaRemoval', { ...ann, who: 'again' });
    await handle.signal('rejectCaRemoval', { who: 'bob', why: 'no' });
    const { problems } = await status();
    assert.match(problems.join(), /Ignored "approve" of again/);
    assert.match(problems.join(), /Ignored "reject" of bob/);
    open();
    const { outcome, decision } = await result();
    assert.deepEqual([outcome, decision?.who], ['rotated', 'ann']);
  });

  it('nobody is asked for ever: after reminders the approval expires, and both CAs stay trusted', async () => {
    const began = await tests.env.currentTimeMs();
    await start();
    const { question } = await tests.reach(handle, 'approve');
    const error = await tests.failureOf(handle);
    assert.equal(typeOf(error), 'ApprovalExpired');
    assert.match(rootOf(error).message, /Both CAs stay trusted/);
    const until = Date.parse(question!.until);
    assert.ok(until >= began + 5 * day && (await tests.env.currentTimeMs()) >= until, 'it did not wait for five days');
    assert.equal((await status()).problems.filter((line) => line.startsWith('Nobody has decided')).length, 5);
    assert.equal(fakes.names().at(-1), 'gatherEvidence');
  });

  it('a decision after a reminder counts', async () => {
    await start();
    await tests.reach(handle, 'approve');
    await tests.env.sleep(2.5 * day);
    assert.equal((await status()).problems.length, 2);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).outcome, 'rotated');
  });

  it('pollers of no known target warn the person who decides', async () => {
    const gatherEvidence = async () => evidence({ unknownPollers: ['stranger (booking)'] });
    await start(fakeActivities({ gatherEvidence }));
    const { problems } = await tests.reach(handle, 'approve');
    assert.deepEqual(problems, ['Belongs to no known target: stranger (booking)']);
    await handle.signal('approveCaRemoval', ann);
    assert.equal((await result()).outcome, 'rotated');
  });

  it('without reminders the deadline still holds', async () => {
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: 0 } as const;
    await start(fakeActivities({ resolveCaRotation: async ({ authority }) => plan(authority, { approval }) }));
    assert.equal(typeOf(await tests.failureOf(handle)), 'ApprovalExpired');
  });

  describe('safety 40: an approval is bound to the evidence that was shown', () => {
    it('the status shows the evidence and what cannot be seen', async () => {
      await start();
      const { question } = await tests.reach(handle, 'approve');
      assert.equal(question?.evidence, digest);
      assert.deepEqual(question?.facts, evidence().facts);
      assert.match(question?.unseen.join() ?? '', /clients that never poll.*attested by ann/);
      await handle.signal('rejectCaRemoval', ann);
      await result();
      assert.equal((await status()).question, undefined);
    });

    it('an approval that names none is for what the question shows', async () => {
      await start();
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', { who: 'ann', why: 'seen' });
      assert.equal((await result()).decision?.evidence, digest);
    });

    it('an approval for other evidence does not count; the first characters of the digest suffice', async () => {
      await start();
      await tests.reach(handle, 'approve');
      const approve = (sent: object) =>
        handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...sent }] });
      const refusal = async (sent: object) => rootOf(await approve(sent).catch((error: unknown) => error)).message;
      assert.match(
        await refusal({ ...ann, evidence: 'b'.repeat(64) }),
        /what is shown now is aaaaaaaaaaaa: look again/,
      );
      assert.match(await refusal({ ...ann, evidence: digest.slice(0, 4) }), /look again/);
      await handle.signal('approveCaRemoval', { ...ann, evidence: 'b'.repeat(64) });
      assert.match((await status()).problems.join(), /Ignored "approve" of ann: it is for evidence bbbbbbbbbbbb/);
      await approve({ ...ann, evidence: digest.slice(0, 12).toUpperCase() });
      assert.equal((await result()).decision?.evidence, digest);
    });

    it('evidence that changed voids it: both CAs stay trusted, what changed is named, and people are asked anew', async () => {
      const digests = [digest, 'b'.repeat(64)];
      let removals = 0;
      await start(
        fakeActivities({
          gatherEvidence: async () => evidence({ digest: digests[removals]! }),
          removeCa: async () => ((removals += 1) === 1 ? failing('EvidenceChanged')() : { lines: [] }),
        }),
      );
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', ann);
      await tests.eventually(async () => (await status()).question?.evidence === digests[1]);
      assert.match((await status()).problems.join(), /The approval of ann is void\. planted EvidenceChanged/);
      const names = fakes.names();
      assert.deepEqual(names.slice(names.indexOf('removeCa') + 1), [
        'restoreTrust',
        'keepBothCas',
        'trustCa',
        'resolveCaRotation',
        'gatherEvidence',
      ]);
      await handle.signal('approveCaRemoval', ann);
      assert.match((await status()).problems.join(), /Ignored "approve" of ann: it is for evidence aaaaaaaaaaaa/);
      await handle.signal('approveCaRemoval', { who: 'ann', why: 'seen' });
      assert.match(
        (await status()).problems.join(),
        /of ann: the evidence changed, say what you approve: .*bbbbbbbbbbbb/,
      );
      await handle.signal('approveCaRemoval', { who: 'bob', evidence: digests[1] });
      const { outcome, decision } = await result();
      assert.deepEqual([outcome, decision?.who], ['rotated', 'bob']);
    });

    it('a bundle that somebody puts back while people are asked voids the question within an hour: all are told, and asked anew', async () => {
      const changes = ['no longer: namespace booking.acct trusts CA new-ca'];
      const notifiers = [{ notifier: 'ops', events: ['approvalWanted'] }] as const;
      let looks = 0;
      let gathered = 0;
      await start(
        fakeActivities({
          resolveCaRotation: async ({ authority }) => plan(authority, { notifiers }),
          trustCa: async () => ([0, 3].includes(looks) ? { operationId: 'operation' } : {}),
          gatherEvidence: async () => ((gathered += 1), evidence({ digest: `${gathered}`.repeat(64) })),
          compareTrust: async () => ({ changes: (looks += 1) === 3 ? changes : [] }),
        }),
      );
      await tests.reach(handle, 'approve');
      const asked = await tests.env.currentTimeMs();
      await tests.env.sleep(3.5 * 3_600_000);
      const { problems, question } = await tests.reach(handle, 'approve');
      assert.match(problems.join(), /The question is void\..*no longer: namespace booking\.acct trusts CA new-ca/);
      assert.match(problems.join(), /somebody else took out CA new-ca; it was added again/);
      assert.equal(question?.evidence, '2'.repeat(64));
      assert.ok(Date.parse(question.until) >= asked + 5 * day + 3 * 3_600_000);
      await handle.signal('approveCaRemoval', { ...ann, evidence: '1'.repeat(64) });
      await handle.signal('approveCaRemoval', { ...ann, evidence: '2'.repeat(64) });
      assert.equal((await result()).decision?.evidence, '2'.repeat(64));
      const told = fakes.calls.flatMap(({ name, input }) =>
        name === 'notify' ? [(input['notification'] as { title: string }).title] : [],
      );
      assert.match(told.join('\n'), /the question whether the old CA may be removed is void$/m);
      const looked = fakes.calls.find(({ name }) => name === 'compareTrust')!;
      assert.deepEqual(looked.input['facts'], evidence().facts, 'compared with something else than was shown');
    });

    it('a question that was void is answered by a person, though the policy would approve by itself', async () => {
      let gathered = 0;
      const unknownPollers = ['stranger (booking)'];
      await start(
        fakeActivities({
          resolveCaRotation: async ({ authority }) => plan(authority, { approval: automatic }),
          gatherEvidence: async () => evidence((gathered += 1) === 1 ? { unknownPollers } : {}),
          compareTrust: async () => ({
            changes: gathered === 1 ? ['no longer: namespace booking.acct trusts CA x'] : [],
          }),
        }),
      );
      await tests.reach(handle, 'approve');
      await tests.env.sleep(1.5 * 3_600_000);
      await tests.eventually(async () => gathered === 2);
      const { problems } = await tests.reach(handle, 'approve');
      assert.match(problems.join(), /In doubt, so a person is asked: Somebody else changed what is trusted/);
      await handle.signal('approveCaRemoval', { ...ann, evidence: evidence().digest });
      assert.equal((await result()).decision?.who, 'ann');
    });

    it('once people decided nobody looks any more, however long the removal waits for its window', async () => {
      let windows = 0;
      await start(
        fakeActivities({
          resolveCaRotation: async ({ authority }) => plan(authority, { windowed: true }),
          nextWindow: async () => ({
            by: 'window',
            line: 'removals begin later',
            waitMs: (windows += 1) === 1 ? 3 * 3_600_000 : 0,
          }),
        }),
      );
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', ann);
      assert.equal((await result()).outcome, 'rotated');
      assert.ok(windows > 1, 'the window was not waited for');
      const looks = fakes.calls.filter(({ name }) => name === 'compareTrust').length;
      assert.equal(looks, 0);
    });

    it('a decision on a question that is void is refused, not taken and forgotten', async () => {
      const { opened, open } = gate();
      let reads = 0;
      await start(
        fakeActivities({
          compareTrust: async () => ({ changes: reads < 3 ? ['new: namespace booking.acct trusts CA other'] : [] }),
          resolveCaRotation: async ({ authority }) => {
            if ((reads += 1) === 3) await opened;
            return plan(authority);
          },
        }),
      );
      await tests.reach(handle, 'approve');
      await tests.env.sleep(3_600_000);
      await tests.eventually(async () => reads === 3);
      const rejected = handle.executeUpdate('decideCaRemoval', {
        args: [{ decision: 'reject', who: 'bob', why: 'not today' }],
      });
      const answer = rootOf(await rejected.catch((error: unknown) => error));
      open();
      assert.match(answer.message, /nothing is asked/);
      const { question } = await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', { ...ann, evidence: question!.evidence });
      assert.equal((await result()).outcome, 'rotated');
    });

    it('a decision that comes after the deadline is refused, however long the end takes', async () => {
      const { opened, open } = gate();
      await start(fakeActivities({ recordRotation: async () => opened }));
      await tests.reach(handle, 'approve');
      await tests.env.sleep(5 * day);
      await tests.eventually(async () => fakes.calls.some(({ name }) => name === 'recordRotation'));
      const late = handle.executeUpdate('decideCaRemoval', { args: [{ decision: 'approve', ...ann }] });
      const answer = rootOf(await late.catch((error: unknown) => error));
      open();
      assert.match(answer.message, /nothing is asked/);
      assert.equal(typeOf(await tests.failureOf(handle)), 'ApprovalExpired');
    });

    it('a namespace that cannot be looked at while people are asked is said, and voids nothing', async () => {
      const compareTrust = failing('CloudForbidden');
      await start(fakeActivities({ compareTrust }));
      await tests.reach(handle, 'approve');
      await tests.env.sleep(2.5 * 3_600_000);
      const { problems } = await status();
      assert.equal(problems.length, 1, 'said once');
      assert.match(problems[0]!, /could not be seen what the namespaces trust now: planted/);
      await handle.signal('approveCaRemoval', ann);
      assert.equal((await result()).outcome, 'rotated');
    });

    it('the removal is told what it was approved on, and by whom', async () => {
      await start();
      await tests.reach(handle, 'approve');
      await handle.signal('approveCaRemoval', ann);
      await result();
      const { input } = fakes.calls.find(({ name }) => name === 'removeCa')!;
      const { decision, ...others } = input['approval'] as RemovalApproval;
      assert.deepEqual(untimed(decision), { decision: 'approve', ...claimed });
      assert.deepEqual(others, { facts: evidence().facts, changedByUs: [] });
    });
  });

  it('nobody is asked longer than the old CA could still be put back', async () => {
    const old = certificateFacts('old-ca', {
      notAfter: new Date((await tests.env.currentTimeMs()) + day).toISOString(),
    });
    await start(fakeActivities({ issueCa: async () => ({ ca: certificateFacts('new-ca'), old }) }));
    const { question } = await tests.reach(handle, 'approve');
    assert.equal(Date.parse(old.notAfter) - Date.parse(question!.until), 7 * 60_000 + 370_000);
    assert.equal(typeOf(await tests.failureOf(handle)), 'ApprovalExpired');
  });

  describe('safety 23: a second person', () => {
    const approvers = ['ann', 'bob', 'carl'];
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day, secondPerson: true, approvers } as const;
    const approve = (who: string) =>
      handle.executeUpdate<{ decided: boolean }, [object]>('decideCaRemoval', {
        args: [{ decision: 'approve', ...ann, who, signature: `of ${who}` }],
      });
    const refusal = async (who: string) => rootOf(await approve(who).catch((error: unknown) => error)).message;

    async function startedBy(starter: object, overrides: Partial<Activities> = {}): Promise<void> {
      const authority = `authority-${(count += 1)}`;
      fakes = fakeActivities({ resolveCaRotation: async () => plan(authority, { approval }), ...overrides });
      tests.use(fakes);
      handle = await tests.start('caRotation', caRotationId(authority), { authority, ...starter });
      await tests.reach(handle, 'approve');
    }

    it('is another one than the first, and neither started the rotation', async () => {
      await startedBy({ who: 'Carl' });
      assert.match(await refusal('carl'), /carl started the rotation/);
      assert.equal((await approve('ann')).decided, false);
      assert.match((await status()).waitingFor, /a second person to approve; ann has/);
      assert.match(await refusal('ann'), /has approved: a second person must/);
      assert.ok(!fakes.names().includes('markRetiring'));
      assert.equal((await approve('bob')).decided, true);
      const { decision } = await result();
      assert.deepEqual([decision?.who, decision?.seconded?.who, decision?.identity], ['ann', 'bob', 'verified']);
    });

    it('is wanted all the same where nobody started it, but a schedule or the expiry watch', async () => {
      await startedBy({});
      assert.equal((await approve('carl')).decided, false);
      assert.match(await refusal('carl'), /has approved: a second person must/);
      assert.ok(!fakes.names().includes('markRetiring'));
      assert.equal((await approve('ann')).decided, true);
      assert.equal((await result()).outcome, 'rotated');
    });

    // Whether two are verified in one workflow task is chance: so many rotations make it all but sure.
    it('is not the first one again, though many approvals of theirs are verified at a time', async () => {
      const atOnce = 8;
      const refused = Array.from({ length: atOnce - 1 }, () => 'ann has approved: a second person must');
      for (let rotation = 0; rotation < 8; rotation += 1) {
        const { opened, open } = gate();
        await startedBy({}, { verifyApproval: () => opened.then(() => ({})) });
        const many = Array.from({ length: atOnce }, () => approve('ann')).map((sent) =>
          sent.then(
            ({ decided }) => String(decided),
            (error: unknown) => rootOf(error).message,
          ),
        );
        const verified = () => fakes.names().filter((name) => name === 'verifyApproval').length;
        await tests.eventually(async () => verified() === atOnce);
        open();
        assert.deepEqual((await Promise.all(many)).sort(), [...refused, 'false']);
        assert.equal((await approve('bob')).decided, true);
        assert.equal((await result()).outcome, 'rotated');
      }
    });

    it('is not needed to reject', async () => {
      await startedBy({ who: 'Carl' });
      await approve('ann');
      await handle.signal('rejectCaRemoval', { who: 'bob' });
      assert.equal((await result()).outcome, 'keptBoth');
    });
  });

  describe('safety 23: where approvers are listed, a signature decides', () => {
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day, approvers: ['ann', 'bob'] } as const;
    const signed = { ...ann, signature: 'good' };
    const approve = (sent: object) =>
      handle.executeUpdate<{ decided: boolean }, [object]>('decideCaRemoval', {
        args: [{ decision: 'approve', ...sent }],
      });
    const refusal = async (sent: object) => rootOf(await approve(sent).catch((error: unknown) => error)).message;

    beforeEach(async () => {
      const authority = `authority-${(count += 1)}`;
      fakes = fakeActivities({
        resolveCaRotation: async () => plan(authority, { approval }),
        verifyApproval: async ({ signature, evidence: shown }) =>
          signature === 'good' && shown === digest ? {} : { objection: `planted: ${signature}` },
      });
      tests.use(fakes);
      handle = await tests.start('caRotation', caRotationId(authority), { authority });
      await tests.reach(handle, 'approve');
    });

    it('by an update: one that is not signed, not by an approver, or not rightly, is refused with the reason', async () => {
      assert.match(await refusal(ann), /not signed/);
      assert.match(await refusal({ ...signed, who: 'carl' }), /carl is none of the approvers: ann, bob/);
      assert.match(await refusal({ ...signed, signature: 'bad' }), /planted: bad/);
      assert.ok(!fakes.names().includes('markRetiring'));
      assert.equal((await approve(signed)).decided, true);
      const { decision } = await result();
      assert.deepEqual(untimed(decision), { decision: 'approve', ...signed, identity: 'verified' });
    });

    it('by a signal: a bare one is shown and does not count', async () => {
      await handle.signal('approveCaRemoval', ann);
      await handle.signal('approveCaRemoval', { ...signed, signature: 'bad' });
      const shown = await tests.eventually(async () => {
        const { problems } = await status();
        return problems.some((line) => line.includes('planted: bad')) && problems;
      });
      assert.ok(shown.some((line) => /Ignored "approve" of ann: it is not signed/.test(line)));
      await handle.signal('approveCaRemoval', signed);
      assert.equal((await result()).decision?.identity, 'verified');
    });

    it('a rejection needs none: it removes nothing', async () => {
      await handle.signal('rejectCaRemoval', { who: 'carl', why: 'not today' });
      assert.equal((await result()).outcome, 'keptBoth');
    });
  });

  describe('safety 13: an automatic removal asks a person when anything is in doubt', () => {
    const { clients: _none, ...undeclared } = plan('undeclared', { approval: automatic });
    const declared = plan('declared', { approval: automatic });
    let removals: number;
    const doubts: [string, CaPlan, Partial<Activities>, RegExp][] = [
      ['clients that never poll are not declared', undeclared, {}, /declares no clients that never poll/],
      [
        'a poller belongs to no known target',
        declared,
        { gatherEvidence: async () => evidence({ unknownPollers: ['stranger (booking)'] }) },
        /stranger \(booking\) belongs to no known target/,
      ],
      [
        'a client that does not poll belongs to nobody known',
        declared,
        {
          gatherEvidence: async () =>
            evidence({ unknownClients: [{ name: 'web', namespace: 'booking', does: ['starts workflows'] }] }),
        },
        /web \(starts workflows in booking\) belongs to nobody known/,
      ],
      [
        'an earlier rotation made its CA, and did not come to its end',
        declared,
        {
          issueCa: async () => ({
            ca: certificateFacts('new-ca'),
            old: certificateFacts('old-ca'),
            takenUp: true as const,
          }),
        },
        /an earlier rotation made CA new-ca and did not come to its end/,
      ],
      [
        'the evidence changed before the removal',
        declared,
        { removeCa: async () => ((removals += 1) === 1 ? failing('EvidenceChanged')() : { lines: [] }) },
        /planted EvidenceChanged/,
      ],
    ];
    for (const [doubt, planned, activities, problem] of doubts) {
      it(doubt, async () => {
        removals = 0;
        await start(
          fakeActivities({ resolveCaRotation: async ({ authority }) => ({ ...planned, authority }), ...activities }),
        );
        const { problems } = await tests.reach(handle, 'approve');
        assert.match(problems.join(), new RegExp(`In doubt, so a person is asked: .*${problem.source}`));
        await handle.signal('approveCaRemoval', ann);
        const { outcome, decision } = await result();
        assert.deepEqual([outcome, decision?.who], ['rotated', 'ann']);
      });
    }

    it('and none when nothing is: the policy is on record', async () => {
      await start(fakeActivities({ resolveCaRotation: async ({ authority }) => ({ ...declared, authority }) }));
      const { decision } = await result();
      assert.deepEqual([decision?.who, decision?.identity, decision?.evidence], ['policy', 'policy', digest]);
    });
  });
});
