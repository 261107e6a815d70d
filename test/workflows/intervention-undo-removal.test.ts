import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AskedRotation, ann, day, seen } from '../support/asked-rotation.js';
import { refusalOf } from '../support/failures.js';
import { automatic, failing, gate, plan, untilCancelled } from '../support/fake-activities.js';

describe('safety 15: undo-removal while the removal is watched', () => {
  let rotation: AskedRotation;
  before(async () => {
    rotation = await AskedRotation.begin({ approval: automatic });
  });
  after(() => rotation?.stop());

  const namespaces = ['one', 'two', 'three'];

  it('puts the old CA back into every namespace that it had left, and keeps both', async () => {
    let removals = 0;
    const removeCa = async () => ((removals += 1) === 2 ? untilCancelled() : { lines: [] });
    await rotation.start({ removeCa }, { namespaces });
    await rotation.tests.eventually(async () => removals === 2);
    assert.match((await rotation.status()).next, /cert-rotation undo-removal authority-\d+ --who/);
    await rotation.intervene('undoRemoval');
    const { outcome, reason } = await rotation.result();
    assert.equal(outcome, 'keptBoth');
    assert.match(reason!, /ann \(claimed\) had the removal undone: she knows\. Both CAs are trusted/);
    assert.deepEqual(rotation.namesAfter('removeCa'), ['restoreTrust', 'restoreTrust', 'keepBothCas']);
    const restored = rotation.fakes.calls
      .filter(({ name }) => name === 'restoreTrust')
      .map(({ input }) => input['before']);
    assert.deepEqual(
      restored.map((before) => (before as { namespace: string }).namespace),
      ['one', 'two'],
    );
  });

  it('by signal, too', async () => {
    await rotation.start({ removeCa: untilCancelled });
    await rotation.reach('remove');
    await rotation.tests.eventually(async () => rotation.names().includes('removeCa'));
    await rotation.handle.signal('undoRemoval', ann);
    assert.equal((await rotation.result()).outcome, 'keptBoth');
  });

  it('fails loudly when the old CA could not be put back', async () => {
    await rotation.start({ removeCa: untilCancelled, restoreTrust: failing('CloudForbidden') });
    await rotation.tests.eventually(async () => rotation.names().includes('removeCa'));
    await rotation.intervene('undoRemoval');
    await assert.rejects(rotation.handle.result());
    assert.match((await rotation.status()).problems.join(), /A person is needed: the old CA could not be put back/);
    assert.ok(!rotation.names().includes('keepBothCas'));
  });

  it('is refused once the removal is void, and does not undo the next one', async () => {
    const { opened, open } = gate();
    let [reads, removals] = [0, 0];
    await rotation.start({
      resolveCaRotation: async ({ authority }) => {
        if ((reads += 1) === 3) await opened;
        return plan(authority, { approval: automatic });
      },
      removeCa: async () => ((removals += 1) === 1 ? failing('EvidenceChanged')() : { lines: [] }),
    });
    await rotation.tests.eventually(async () => reads === 3);
    const answer = await refusalOf(rotation.intervene('undoRemoval'));
    open();
    assert.match(answer, /nothing is being removed: .* phase confirm/);
    await rotation.reach('approve');
    await rotation.handle.signal('approveCaRemoval', seen);
    assert.equal((await rotation.result()).outcome, 'rotated');
  });

  it('is refused when nothing is being removed', async () => {
    await rotation.start({}, { approval: { mode: 'manual', deadlineMs: day, remindEveryMs: day } });
    await rotation.reach('approve');
    assert.match(await refusalOf(rotation.intervene('undoRemoval')), /nothing is being removed: .* phase approve/);
    await rotation.handle.signal('rejectCaRemoval', ann);
    await rotation.result();
  });
});
