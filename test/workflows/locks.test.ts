import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Dependencies } from '../../src/activities/index.js';
import { followActivities } from '../../src/activities/follow.js';
import { caRotationId, leafRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, LeafRotationResult } from '../../src/domain/rotation.js';
import { automatic, failing, fakeActivities, gate, plan } from '../support/fake-activities.js';
import { rootOf, typeOf } from '../support/failures.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('fixed ids are the lock', () => {
  let tests: WorkflowTests;
  /** The real activity: it waits for the run that is open. */
  let followRotation: ReturnType<typeof followActivities>['followRotation'];
  before(async () => {
    tests = await WorkflowTests.onDevServer();
    ({ followRotation } = followActivities({ client: () => tests.env.client } as unknown as Dependencies));
  });
  after(() => tests.stop());

  const resolveCaRotation = async ({ authority }: { authority: string }) => plan(authority, { approval: automatic });

  it('safety 29: two CA rotations under random ids, with the plain one-line input, are one rotation', async () => {
    const { opened, open } = gate();
    const fakes = fakeActivities({
      resolveCaRotation,
      followRotation,
      preflightCa: async () => opened.then(() => ({ lines: [] })),
    });
    tests.use(fakes);
    const first = await tests.start('caRotation', 'random-1', { authority: 'shared' });
    const second = await tests.start('caRotation', 'random-2', { authority: 'shared' });
    await tests.eventually(
      async () => fakes.names().includes('preflightCa') && fakes.names().includes('followRotation'),
    );
    open();
    const results = (await Promise.all([first.result(), second.result()])) as CaRotationResult[];
    assert.deepEqual(
      results.map(({ outcome, newFingerprint }) => [outcome, newFingerprint]),
      [
        ['rotated', 'new-ca'],
        ['rotated', 'new-ca'],
      ],
    );
    assert.equal(fakes.names().filter((name) => name === 'issueCa').length, 1);
    assert.equal(fakes.names().filter((name) => name === 'removeCa').length, 1);
  });

  it('safety 29: two leaf rotations under random ids are one rotation', async () => {
    const { opened, open } = gate();
    const fakes = fakeActivities({ followRotation, testConnection: async () => opened });
    tests.use(fakes);
    const first = await tests.start('leafRotation', 'random-3', { target: 'shared' });
    const second = await tests.start('leafRotation', 'random-4', { target: 'shared' });
    await tests.eventually(async () => fakes.names().includes('followRotation'));
    open();
    const results = (await Promise.all([first.result(), second.result()])) as LeafRotationResult[];
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['rotated', 'rotated'],
    );
    assert.equal(fakes.names().filter((name) => name === 'issueLeaf').length, 1);
  });

  it('safety 29: who follows a rotation that fails, fails as it does', async () => {
    const { opened, open } = gate();
    const fakes = fakeActivities({
      followRotation,
      testConnection: async () => opened.then(() => failing('ProbeRefused')()),
    });
    tests.use(fakes);
    const first = await tests.start('leafRotation', 'random-5', { target: 'failing' });
    const second = await tests.start('leafRotation', 'random-6', { target: 'failing' });
    await tests.eventually(async () => fakes.names().includes('followRotation'));
    open();
    const errors = await Promise.all([tests.failureOf(first), tests.failureOf(second)]);
    assert.deepEqual(new Set(errors.map(typeOf)), new Set(['FollowedRotationFailed', 'ProbeRefused']));
    assert.match(
      rootOf(errors.find((error) => typeOf(error) !== 'ProbeRefused')).message,
      /leaf\/failing failed: .*planted/,
    );
  });

  it('safety 31: a leaf rotation that runs already is waited for, and then the target moves onto the new CA', async () => {
    const { opened, open } = gate();
    let signers = 0;
    const fakes = fakeActivities({
      resolveCaRotation,
      followRotation,
      testConnection: async () => ((signers += 1) === 1 ? opened : undefined),
    });
    tests.use(fakes);
    const target = 'rotating-canary';
    const daily = await tests.start('leafRotation', leafRotationId(target), { target, onlyWhenDue: true });
    await tests.eventually(async () => fakes.names().includes('testConnection'));
    const rotation = await tests.start('caRotation', caRotationId('rotating'), { authority: 'rotating' });
    await tests.eventually(async () => fakes.names().includes('followRotation'));
    assert.equal(fakes.names().filter((name) => name === 'issueLeaf').length, 1, 'it did not wait');
    open();
    await daily.result();
    assert.equal(((await rotation.result()) as CaRotationResult).outcome, 'rotated');
    const cas = fakes.calls.filter(({ name }) => name === 'issueLeaf').map(({ input }) => input['ca']);
    assert.deepEqual(cas, [undefined, 'new-ca']);
  });

  it('safety 31: a leaf rotation that runs already and fails does not stop the CA rotation', async () => {
    const { opened, open } = gate();
    let tested = 0;
    const fakes = fakeActivities({
      resolveCaRotation,
      followRotation,
      testConnection: async () => ((tested += 1) === 1 ? opened.then(() => failing('ProbeRefused')()) : undefined),
    });
    tests.use(fakes);
    const target = 'unlucky-canary';
    const daily = await tests.start('leafRotation', leafRotationId(target), { target });
    await tests.eventually(async () => fakes.names().includes('testConnection'));
    const rotation = await tests.start('caRotation', caRotationId('unlucky'), { authority: 'unlucky' });
    await tests.eventually(async () => fakes.names().includes('followRotation'));
    open();
    assert.equal(typeOf(await tests.failureOf(daily)), 'ProbeRefused');
    assert.equal(((await rotation.result()) as CaRotationResult).outcome, 'rotated');
  });

  it('safety 31: children are abandoned, not killed: a leaf rotation outlives a CA rotation that is terminated', async () => {
    const { opened, open } = gate();
    const fakes = fakeActivities({ resolveCaRotation, testConnection: async () => opened });
    tests.use(fakes);
    const rotation = await tests.start('caRotation', caRotationId('doomed'), { authority: 'doomed' });
    await tests.eventually(async () => fakes.names().includes('testConnection'));
    const child = tests.env.client.workflow.getHandle(leafRotationId('doomed-canary'));
    await rotation.terminate();
    open();
    assert.equal(((await child.result()) as LeafRotationResult).outcome, 'rotated');
    const [started] = (await child.fetchHistory()).events!;
    const { workflowExecutionTimeout, workflowRunTimeout } = started!.workflowExecutionStartedEventAttributes!;
    for (const timeout of [workflowExecutionTimeout, workflowRunTimeout])
      assert.equal(Number(timeout?.seconds ?? 0), 0, 'a child has a timeout');
  });

  it('a follower heartbeats, and stops when it is cancelled', async () => {
    const { opened, open } = gate();
    tests.use(fakeActivities({ testConnection: async () => opened }));
    const running = await tests.start('leafRotation', leafRotationId('followed'), { target: 'followed' });
    const environment = new MockActivityEnvironment();
    const beats: unknown[] = [];
    environment.on('heartbeat', (details) => beats.push(details));
    const following = environment.run(followRotation, { workflowId: leafRotationId('followed') });
    await tests.eventually(async () => beats.length > 0);
    assert.deepEqual(beats[0], { line: 'following leaf/followed' });
    environment.cancel();
    await assert.rejects(following, { name: 'CancelledFailure' });
    open();
    assert.equal(((await running.result()) as LeafRotationResult).outcome, 'rotated');
  });
});
