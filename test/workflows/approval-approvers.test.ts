import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Activities } from '../../src/activities/index.js';
import type { CaPlan } from '../../src/domain/rotation.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { AskedRotation, day, seen, untimed } from '../support/asked-rotation.js';
import { automatic, evidence, failing, gate, plan } from '../support/fake-activities.js';
import { refusalOf, rootOf } from '../support/failures.js';

describe('approval of a removal', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin();
  });
  after(() => rotation?.stop());

  describe('safety 23: a second person', () => {
    const approvers = ['ann', 'bob', 'carl'];
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day, secondPerson: true, approvers } as const;
    const approve = (who: string) => rotation.decide('approve', { ...seen, who, signature: `of ${who}` });
    const refusal = (who: string) => refusalOf(approve(who));

    async function startedBy(starter: object, overrides: Partial<Activities> = {}): Promise<void> {
      await rotation.start(overrides, { approval }, starter);
      await rotation.reach('approve');
    }

    it('is another one than the first, and neither started the rotation', async () => {
      await startedBy({ who: 'Carl' });
      assert.match(await refusal('carl'), /carl started the rotation/);
      assert.equal((await approve('ann')).decided, false);
      assert.match((await rotation.status()).waitingFor, /a second person to approve; ann has/);
      assert.match(await refusal('ann'), /has approved: a second person must/);
      assert.ok(!rotation.names().includes('markRetiring'));
      assert.equal((await approve('bob')).decided, true);
      const { decision } = await rotation.result();
      assert.deepEqual([decision?.who, decision?.seconded?.who, decision?.identity], ['ann', 'bob', 'verified']);
    });

    it('is wanted all the same where nobody started it, but a schedule or the expiry watch', async () => {
      await startedBy({});
      assert.equal((await approve('carl')).decided, false);
      assert.match(await refusal('carl'), /has approved: a second person must/);
      assert.ok(!rotation.names().includes('markRetiring'));
      assert.equal((await approve('ann')).decided, true);
      assert.equal((await rotation.result()).outcome, 'rotated');
    });

    // Whether two are verified in one workflow task is chance: so many rotations make it all but sure.
    it('is not the first one again, though many approvals of theirs are verified at a time', async () => {
      const atOnce = 8;
      const refused = Array.from({ length: atOnce - 1 }, () => 'ann has approved: a second person must');
      for (let attempt = 0; attempt < 8; attempt += 1) {
        const { opened, open } = gate();
        await startedBy({}, { verifyApproval: () => opened.then(() => ({})) });
        const many = Array.from({ length: atOnce }, () => approve('ann')).map((sent) =>
          sent.then(
            ({ decided }) => String(decided),
            (error: unknown) => rootOf(error).message,
          ),
        );
        const verified = () => rotation.names().filter((name) => name === 'verifyApproval').length;
        await rotation.tests.eventually(async () => verified() === atOnce);
        open();
        assert.deepEqual((await Promise.all(many)).sort(), [...refused, 'false']);
        assert.equal((await approve('bob')).decided, true);
        assert.equal((await rotation.result()).outcome, 'rotated');
      }
    });

    it('is not needed to reject', async () => {
      await startedBy({ who: 'Carl' });
      await approve('ann');
      await rotation.handle.signal('rejectCaRemoval', { who: 'bob' });
      assert.equal((await rotation.result()).outcome, 'keptBoth');
    });
  });

  describe('safety 23: where approvers are listed, a signature decides', () => {
    const approval = { mode: 'manual', deadlineMs: day, remindEveryMs: day, approvers: ['ann', 'bob'] } as const;
    const signed = { ...seen, signature: 'good' };
    const approve = (sent: object) => rotation.decide('approve', sent);
    const refusal = (sent: object) => refusalOf(approve(sent));

    beforeEach(async () => {
      await rotation.start(
        {
          verifyApproval: async ({ signature, evidence: shown }) =>
            signature === 'good' && shown === seen.evidence ? {} : { objection: `planted: ${signature}` },
        },
        { approval },
      );
      await rotation.reach('approve');
    });

    it('by an update: one that is not signed, not by an approver, or not rightly, is refused with the reason', async () => {
      assert.match(await refusal(seen), /not signed/);
      assert.match(await refusal({ ...signed, who: 'carl' }), /carl is none of the approvers: ann, bob/);
      assert.match(await refusal({ ...signed, signature: 'bad' }), /planted: bad/);
      assert.ok(!rotation.names().includes('markRetiring'));
      assert.equal((await approve(signed)).decided, true);
      const { decision } = await rotation.result();
      assert.deepEqual(untimed(decision), { decision: 'approve', ...signed, identity: 'verified' });
    });

    it('by a signal: a bare one is shown and does not count', async () => {
      await rotation.handle.signal('approveCaRemoval', seen);
      await rotation.handle.signal('approveCaRemoval', { ...signed, signature: 'bad' });
      const shown = await rotation.tests.eventually(async () => {
        const { problems } = await rotation.status();
        return problems.some((line) => line.includes('planted: bad')) && problems;
      });
      assert.ok(shown.some((line) => /Ignored "approve" of ann: it is not signed/.test(line)));
      await rotation.handle.signal('approveCaRemoval', signed);
      assert.equal((await rotation.result()).decision?.identity, 'verified');
    });

    it('a rejection needs none: it removes nothing', async () => {
      await rotation.handle.signal('rejectCaRemoval', { who: 'carl', why: 'not today' });
      assert.equal((await rotation.result()).outcome, 'keptBoth');
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
        await rotation.start({
          resolveCaRotation: async ({ authority }) => ({ ...planned, authority }),
          ...activities,
        });
        const { problems } = await rotation.reach('approve');
        assert.match(problems.join(), new RegExp(`In doubt, so a person is asked: .*${problem.source}`));
        await rotation.handle.signal('approveCaRemoval', seen);
        const { outcome, decision } = await rotation.result();
        assert.deepEqual([outcome, decision?.who], ['rotated', 'ann']);
      });
    }

    it('and none when nothing is: the policy is on record', async () => {
      await rotation.start({ resolveCaRotation: async ({ authority }) => ({ ...declared, authority }) });
      const { decision } = await rotation.result();
      assert.deepEqual([decision?.who, decision?.identity, decision?.evidence], ['policy', 'policy', seen.evidence]);
    });
  });
});
