import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaPlan, CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { automatic, fakeActivities, plan, type FakeActivities } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('safety 34: a configuration that is changed while a CA rotation runs', () => {
  let tests: WorkflowTests;
  let count = 0;
  let fakes: FakeActivities;
  let handle: WorkflowHandle;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  /** Its configuration is what `planned` says when it begins, and what `changed` says whenever it is read after that. */
  async function start(planned: Partial<CaPlan>, changed: () => Partial<CaPlan>): Promise<void> {
    const authority = `changed-${(count += 1)}`;
    let reads = 0;
    const resolveCaRotation = async () => plan(authority, { approval: automatic, ...(reads++ ? changed() : planned) });
    fakes = fakeActivities({ resolveCaRotation });
    tests.use(fakes);
    handle = await tests.start('caRotation', caRotationId(authority), { authority });
  }

  const result = () => handle.result() as Promise<CaRotationResult>;
  const problems = async () => (await handle.query<RotationStatus>('status')).problems.join('\n');
  const inputs = (name: string, key: string) =>
    fakes.calls.filter((call) => call.name === name).map(({ input }) => input[key]);
  function indexOf(name: string, key: string, value: string): number {
    const index = fakes.calls.findIndex((call) => call.name === name && call.input[key] === value);
    assert.notEqual(index, -1, `no ${name} for ${value}`);
    return index;
  }

  it('a target that was added moves before anything is confirmed, and is among the results', async () => {
    await start({ others: ['one'] }, () => ({ others: ['one', 'two'], configDigest: 'another' }));
    const { outcome, leaves } = await result();
    assert.equal(outcome, 'rotated');
    assert.ok(leaves.some(({ target }) => target === 'two'));
    const confirmed = fakes.names().indexOf('gatherEvidence');
    assert.ok(indexOf('updateTarget', 'target', 'two') < confirmed);
    assert.match(await problems(), /Added to the configuration: target two/);
  });

  it('a namespace that was added trusts the new CA, which is proved there, and lets the old one go with the others', async () => {
    const [first, second] = ['booking.acct', 'added.acct'];
    await start({ namespaces: [first] }, () => ({ namespaces: [first, second], configDigest: 'another' }));
    assert.equal((await result()).outcome, 'rotated');
    assert.ok(indexOf('proveTrust', 'namespace', second) < fakes.names().indexOf('gatherEvidence'));
    assert.deepEqual(inputs('rememberTrust', 'namespace'), [first, second]);
  });

  it('a namespace that was added lets the new CA go with the others when the rotation is aborted', async () => {
    const namespaces = ['booking.acct', 'added.acct'];
    const approval = { ...automatic, mode: 'manual' } as const;
    await start({ namespaces: ['booking.acct'] }, () => ({ namespaces, approval, configDigest: 'another' }));
    await tests.reach(handle, 'approve');
    await handle.signal('abortCaRotation', { who: 'ann', why: 'not now' });
    assert.equal((await result()).outcome, 'aborted');
    assert.deepEqual(inputs('dropCa', 'namespace'), namespaces);
  });

  it('so does one that disappeared', async () => {
    const namespaces = ['booking.acct', 'gone.acct'];
    await start({ namespaces }, () => ({ namespaces: ['booking.acct'], configDigest: 'another' }));
    await tests.eventually(async () => {
      const { waitingFor } = await handle.query<RotationStatus>('status');
      return waitingFor.includes('namespace gone.acct');
    });
    await handle.signal('abortCaRotation', { who: 'ann', why: 'not now' });
    assert.equal((await result()).outcome, 'aborted');
    assert.deepEqual(inputs('dropCa', 'namespace'), namespaces);
  });

  it('a target that disappeared blocks the removal by name until it is back', async () => {
    let back = false;
    await start({ others: ['one', 'two'] }, () =>
      back ? { others: ['one', 'two'] } : { others: ['one'], configDigest: 'another' },
    );
    await tests.eventually(async () => {
      const { waitingFor } = await handle.query<RotationStatus>('status');
      return waitingFor.includes('target two') && waitingFor.startsWith('a person, because of');
    });
    assert.ok(!fakes.names().includes('gatherEvidence'));
    back = true;
    await handle.signal('retryTarget', { who: 'ann', why: 'put back' });
    // Something was in doubt: a person decides.
    const asked = await tests.eventually(async () => {
      const { phase, question } = await handle.query<RotationStatus>('status');
      return phase === 'approve' && question;
    });
    await handle.signal('approveCaRemoval', { who: 'ann', why: 'all moved', evidence: asked.evidence });
    assert.equal((await result()).outcome, 'rotated');
  });

  it('one that says the same of this authority changes nothing', async () => {
    await start({ others: ['one'] }, () => ({ others: ['one'], configDigest: 'another' }));
    assert.equal((await result()).outcome, 'rotated');
    assert.deepEqual(inputs('trustCa', 'namespace'), ['booking.acct']);
    assert.match(await problems(), /The configuration was changed: it is another/);
  });
});
