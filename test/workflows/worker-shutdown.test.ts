import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { createActivities } from '../../src/activities/index.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import { automatic, fakeActivities, plan } from '../support/fake-activities.js';
import { aWorld, booking, type World } from '../support/fakes.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('a worker that is replaced', () => {
  let tests: WorkflowTests;
  let world: World;
  before(async () => {
    tests = await WorkflowTests.onDevServer();
  });
  after(() => tests.stop());

  /** A CA rotation whose removal is real, in a world in memory, as far as its watch. */
  async function watching(authority: string, watch: string) {
    world = await aWorld({ timing: { watch } });
    Object.assign(world.config.authorities['booking']!.approval, { mode: 'automatic' });
    const next = await world.moved();
    const { gatherEvidence, markRetiring, rememberTrust, removeCa, restoreTrust, keepBothCas } = createActivities(
      world.deps,
    );
    const fakes = fakeActivities({
      resolveCaRotation: async () => plan('booking', { approval: automatic, namespaces: [booking], canaries: [] }),
      issueCa: async () => ({ ca: next.certificate, old: world.old.certificate }),
      gatherEvidence,
      markRetiring,
      rememberTrust,
      removeCa,
      restoreTrust,
      keepBothCas,
    });
    tests.use(fakes);
    const handle = await tests.start('caRotation', caRotationId(authority), { authority });
    await tests.eventually(async () => world.cloud.writes.length > 0);
    return { handle, fakes, next };
  }

  const verbs = () => world.cloud.writes.map(({ generation }) => generation.split('/')[1]);

  it('cancels nothing: what it was doing is done again by the next one', async () => {
    let attempts = 0;
    const rollOut = async () => {
      if ((attempts += 1) > 1) return;
      const { cancellationSignal } = Context.current();
      await wait(60_000, undefined, { signal: cancellationSignal });
    };
    const fakes = fakeActivities({ rollOut });
    tests.use(fakes);
    const handle = await tests.start('leafRotation', leafRotationId('replaced'), { target: 'replaced' });
    await tests.eventually(async () => attempts === 1);
    await tests.replaceWorker();
    assert.equal(((await handle.result()) as LeafRotationResult).outcome, 'rotated');
    assert.equal(attempts, 2);
    assert.ok(!fakes.names().includes('restoreTarget'));
  });

  it('undoes nothing during the watch after a removal: the rotation ends as if nothing had happened', async () => {
    const { handle, fakes, next } = await watching('replaced', '4s');
    await tests.replaceWorker();
    assert.equal(((await handle.result()) as CaRotationResult).outcome, 'rotated');
    assert.equal(fakes.names().filter((name) => name === 'removeCa').length, 2, 'there was no second attempt');
    assert.deepEqual(verbs(), ['remove']);
    assert.deepEqual(world.bundle(), [next.certificate.fingerprint]);
  });

  it('and a person who cancels the watch then gets the old CA back', async () => {
    const { handle, next } = await watching('cancelled', '60s');
    await tests.replaceWorker();
    await handle.cancel();
    await tests.failureOf(handle);
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    assert.deepEqual(verbs(), ['remove', 'restore']);
    const both = [world.old.certificate.fingerprint, next.certificate.fingerprint];
    assert.deepEqual([...world.bundle()].sort(), both.sort());
    assert.equal(world.record().retiring, undefined);
  });
});
