import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../../src/activities/index.js';
import type { FailureType } from '../../src/domain/failures.js';
import { leafRotationId } from '../../src/domain/ids.js';
import type { LeafRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { tell } from '../../src/temporal/history.js';
import { certificateFacts } from '../support/certificate-facts.js';
import { failing, fakeActivities, gate, untilCancelled, type FakeActivities } from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('leafRotation', () => {
  let tests: WorkflowTests;
  let count = 0;
  before(async () => {
    tests = await WorkflowTests.skippingTime();
  });
  after(() => tests.stop());

  async function start(
    overrides: Partial<Activities> = {},
  ): Promise<{ handle: WorkflowHandle; fakes: FakeActivities }> {
    const target = `target-${(count += 1)}`;
    const fakes = fakeActivities(overrides);
    tests.use(fakes);
    return { fakes, handle: await tests.start('leafRotation', leafRotationId(target), { target }) };
  }

  const result = (handle: WorkflowHandle) => handle.result() as Promise<LeafRotationResult>;
  const namesAfter = (fakes: FakeActivities, name: keyof Activities) =>
    fakes.names().slice(fakes.names().lastIndexOf(name) + 1);

  it('goes through the runbook in its order', async () => {
    const { handle, fakes } = await start();
    const { outcome, oldFingerprint, newFingerprint, deliveredAt } = await result(handle);
    assert.deepEqual(fakes.names(), [
      'resolveLeafRotation',
      'preflightLeaf',
      'issueLeaf',
      'testConnection',
      'updateTarget',
      'rollOut',
      'confirmAdoption',
      'discardPairs',
    ]);
    assert.deepEqual(
      [outcome, oldFingerprint, newFingerprint, deliveredAt],
      ['rotated', 'old-leaf', 'new-leaf', '2026-01-01T00:00:00.000Z'],
    );
  });

  it('started by hand, it takes no more than 12 Temporal actions, heartbeats apart', async () => {
    const { handle } = await start();
    await result(handle);
    const { actions } = await tell(tests.env.client, handle.workflowId);
    assert.ok(actions > 5 && actions <= 12, `${actions} actions`);
  });

  it('goes on with a leaf that leaves out what Temporal documents, and says so', async () => {
    const { handle } = await start({
      issueLeaf: async ({ target }) => ({
        certificate: certificateFacts('new-leaf'),
        issuedBy: 'new-ca',
        entry: `leaf.${target}`,
        warnings: ['CN=worker leaves out keyUsage'],
      }),
    });
    assert.equal((await result(handle)).outcome, 'rotated');
    assert.deepEqual((await handle.query<RotationStatus>('status')).problems, ['CN=worker leaves out keyUsage']);
  });

  it('touches nothing when the target is not due', async () => {
    const { handle, fakes } = await start({
      preflightLeaf: async () => ({ consumers: [], warnings: [], skip: 'Not due' }),
    });
    const { outcome, reason } = await result(handle);
    assert.deepEqual([outcome, reason], ['skipped', 'Not due']);
    assert.deepEqual(fakes.names(), ['resolveLeafRotation', 'preflightLeaf']);
  });

  it('safety 44: discards what a run left behind that died, also when the target is not due', async () => {
    const { handle, fakes } = await start({
      preflightLeaf: async () => ({ consumers: [], warnings: [], skip: 'Not due', leftOver: true }),
    });
    assert.equal((await result(handle)).outcome, 'skipped');
    assert.deepEqual(namesAfter(fakes, 'preflightLeaf'), ['discardPairs']);
  });

  describe('a refusal before the update leaves the target untouched', () => {
    const refusals: [keyof Activities, FailureType, string[]][] = [
      ['resolveLeafRotation', 'UnknownTarget', []],
      ['preflightLeaf', 'WorkloadUnhealthy', []],
      ['issueLeaf', 'AuthorityRetiring', ['discardPairs']],
      ['testConnection', 'ProbeRefused', ['discardPairs']],
    ];
    for (const [activity, type, cleanUp] of refusals) {
      it(`${type} of ${activity}`, async () => {
        const { handle, fakes } = await start({ [activity]: failing(type) });
        assert.equal(typeOf(await tests.failureOf(handle)), type);
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }
  });

  describe('a failure after the update puts a pair that works back, and says so', () => {
    const failuresAfter: [keyof Activities, FailureType, boolean][] = [
      ['updateTarget', 'AuthorityRetiring', false],
      ['rollOut', 'RolloutFailed', true],
      ['confirmAdoption', 'NotAdopted', true],
    ];
    for (const [activity, type, rolledOut] of failuresAfter) {
      it(`${type} of ${activity}${rolledOut ? '' : ': nothing is restarted'}`, async () => {
        const { handle, fakes } = await start({ [activity]: failing(type) });
        const error = await tests.failureOf(handle);
        assert.equal(typeOf(error), type);
        assert.match(rootOf(error).message, /planted .*The previous pair is back/);
        assert.deepEqual((await handle.query<RotationStatus>('status')).problems, ['The previous pair is back.']);
        assert.deepEqual(namesAfter(fakes, activity), ['restoreTarget']);
        assert.equal(fakes.calls.at(-1)!.input['rolledOut'], rolledOut);
      });
    }

    it('when that fails, too, a person is called', async () => {
      const { handle } = await start({ rollOut: failing('RolloutFailed'), restoreTarget: failing('ProbeRefused') });
      assert.equal(typeOf(await tests.failureOf(handle)), 'RolloutFailed');
      const { problems } = await handle.query<RotationStatus>('status');
      assert.match(problems[0]!, /^A person is needed: target-\d+ could not be restored.*ProbeRefused/);
    });
  });

  it('what a retry may mend is retried, and the rotation goes on', async () => {
    let attempts = 0;
    const { handle } = await start({
      updateTarget: async () => {
        if ((attempts += 1) < 3) return failing('KubernetesUnavailable')();
        return { leaf: 'new-leaf', at: '2026-01-01T00:00:00.000Z' };
      },
    });
    assert.deepEqual([(await result(handle)).outcome, attempts], ['rotated', 3]);
  });

  describe('a cancellation leaves a working state', () => {
    const interrupted: [keyof Activities, string[]][] = [
      ['testConnection', ['discardPairs']],
      ['rollOut', ['restoreTarget']],
      ['confirmAdoption', ['restoreTarget']],
    ];
    for (const [activity, cleanUp] of interrupted) {
      it(`in ${activity}: ${cleanUp.join(', ')}`, async () => {
        const { handle, fakes } = await start({ [activity]: untilCancelled });
        await tests.eventually(async () => fakes.names().includes(activity));
        await tests.cancel(handle);
        await tests.failureOf(handle);
        assert.equal((await handle.describe()).status.name, 'CANCELLED');
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }

    const uninterrupted: [keyof Activities, string[], string][] = [
      ['preflightLeaf', ['discardPairs'], 'CANCELLED'],
      ['issueLeaf', ['discardPairs'], 'CANCELLED'],
      ['updateTarget', ['restoreTarget'], 'CANCELLED'],
      ['discardPairs', [], 'COMPLETED'],
    ];
    for (const [activity, cleanUp, end] of uninterrupted) {
      it(`in ${activity}, which is not interrupted: ${[...cleanUp, end.toLowerCase()].join(', ')}`, async () => {
        const { opened, open } = gate();
        const real = fakeActivities().activities[activity] as (input: unknown) => Promise<unknown>;
        const { handle, fakes } = await start({
          [activity]: async (input: unknown) => {
            await opened;
            return real(input);
          },
        });
        await tests.eventually(async () => fakes.names().includes(activity));
        await tests.cancel(handle);
        open();
        await tests.failureOf(handle);
        assert.equal((await handle.describe()).status.name, end);
        assert.deepEqual(namesAfter(fakes, activity), cleanUp);
      });
    }
  });

  it('a bad request fails the workflow, not its task', async () => {
    for (const request of [undefined, null, 'target', {}, { target: 7 }, { target: '' }, { target: 'a', ca: 7 }]) {
      const args = request === undefined ? [] : [request];
      const handle = await tests.start('leafRotation', `bad-${(count += 1)}`, ...args);
      assert.equal(typeOf(await tests.failureOf(handle)), 'BadRequest', JSON.stringify(request));
    }
  });
});
