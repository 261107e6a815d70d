import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { exitCodes } from '../../src/cli/exit.js';
import { caRotationId } from '../../src/domain/ids.js';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { failing, fakeActivities, plan, type FakeActivities } from '../support/fake-activities.js';
import { starterEnvironment } from '../support/starter-environment.js';
import { ended, runStarter, spawnStarter, type Environment, type Ran } from '../support/starter.js';
import { WorkflowTests } from '../support/temporal-env.js';

const [authority, target] = ['temporal-booking', 'booking-worker'];
const workflowId = caRotationId(authority);
const ada = ['--who', 'ada', '--why', 'the nightly job moves next week'];
const claimed = { who: 'ada', why: 'the nightly job moves next week', identity: 'claimed' };
const undoing = ['moveSignerBack', 'targetsOnCa', 'dropCa', 'abandonCa', 'markRetiring'] as const;

describe('what a person tells a CA rotation by `cert-rotation`', () => {
  let tests: WorkflowTests;
  let dir: string;
  let environment: Environment;
  let fakes: FakeActivities;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    tests = await WorkflowTests.onDevServer();
    environment = await starterEnvironment(tests.env.address, dir);
  });
  /** One that goes on would keep the next test from starting its own. */
  afterEach(() =>
    handle()
      .terminate('the test is over')
      .catch(() => undefined),
  );
  after(async () => {
    await tests?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const handle = () => tests.env.client.workflow.getHandle(workflowId);
  const result = () => handle().result() as Promise<CaRotationResult>;
  const status = () => handle().query<RotationStatus>('status');
  const tell = (...args: string[]) => runStarter(args, environment);
  /** Tells it to be taken. */
  async function taken(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await tell(...args);
    assert.equal(code, exitCodes.done, stderr);
    return stdout;
  }
  const documented = async (...args: string[]): Promise<unknown> => JSON.parse(await taken(...args, '-o', 'json'));
  const assertRefused = ({ code, stderr }: Ran, why: RegExp) => {
    assert.equal(code, exitCodes.badInput, stderr);
    assert.match(stderr, why);
  };

  function use(overrides: Parameters<typeof fakeActivities>[0] = {}): void {
    const resolveCaRotation = async () => plan(authority, { canaries: [], others: [target] });
    fakes = fakeActivities({ resolveCaRotation, ...overrides });
    tests.use(fakes);
  }
  const start = () => tests.start('caRotation', workflowId, { authority });
  async function startUntilItAsks(overrides: Parameters<typeof use>[0] = {}): Promise<void> {
    use(overrides);
    await start();
    await tests.reach(handle(), 'approve');
  }
  /** Its target fails; what is returned mends it. */
  async function startUntilATargetFails(): Promise<() => void> {
    let isBad = true;
    use({ rollOut: async () => (isBad ? failing('RolloutFailed')() : undefined) });
    await start();
    await tests.eventually(async () => (await status()).waitingFor.startsWith(`a person, because of ${target}`));
    return () => (isBad = false);
  }

  describe('reject', () => {
    it('ends it with both CAs trusted, and names who and why', async () => {
      await startUntilItAsks();
      assert.equal(await taken('reject', authority, ...ada), `${workflowId}: reject of ada taken\n`);
      const { outcome, reason, decision } = await result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /^ada rejected the removal: the nightly job moves next week\. Both CAs stay trusted/);
      assert.deepEqual([decision?.decision, decision?.who, decision?.why], ['reject', claimed.who, claimed.why]);
      assert.ok(!fakes.names().includes('removeCa'));
    });

    it('is told to whoever follows the rotation: exit code 3', async () => {
      await startUntilItAsks();
      const follower = spawnStarter(['rotate', 'ca', authority], environment);
      const following = ended(follower);
      await Promise.race([once(follower.stdout!, 'data'), following]);
      await taken('reject', authority, ...ada);
      const { code, stdout } = await following;
      assert.match(stdout, /runs already: joined run/);
      assert.equal(code, exitCodes.keptBoth, stdout);
    });
  });

  describe('retry', () => {
    it('moves the target again, and the rotation goes on', async () => {
      const mend = await startUntilATargetFails();
      mend();
      const stdout = await taken('retry', authority, target, ...ada);
      assert.match(
        stdout,
        /^ca\/temporal-booking: retry of ada taken\nFollow it: cert-rotation status temporal-booking\n$/,
      );
      const { problems } = await tests.reach(handle(), 'approve');
      assert.ok(problems.includes(`ada (claimed): retry ${target}: ${claimed.why}`), problems.join('\n'));
      assert.equal(fakes.names().filter((name) => name === 'rollOut').length, 2);
      await handle().signal('rejectCaRemoval', claimed);
      assert.deepEqual(
        (await result()).leaves.map((leaf) => [leaf.target, leaf.outcome]),
        [[target, 'rotated']],
      );
    });

    it('without a target it is of whatever waits, and needs no reason', async () => {
      const mend = await startUntilATargetFails();
      mend();
      await taken('retry', authority, '--who', 'ada');
      const { problems } = await tests.reach(handle(), 'approve');
      assert.ok(problems.includes('ada (claimed): retry all'), problems.join('\n'));
    });

    it('of what does not wait is refused: exit code 2, and the rotation goes on', async () => {
      await startUntilItAsks();
      assertRefused(
        await tell('retry', authority, target, ...ada),
        /not taken: nothing of booking-worker waits for a retry/,
      );
      assert.equal((await status()).phase, 'approve');
    });
  });

  it('skip goes on without the target and removes nothing; it names who and why', async () => {
    await startUntilATargetFails();
    const stdout = await taken('skip', authority, target, ...ada);
    assert.match(stdout, /^ca\/temporal-booking: skip of ada taken\nFollow it: /);
    const { outcome, reason, leaves } = await result();
    assert.equal(outcome, 'keptBoth');
    assert.match(reason!, /booking-worker: Skipped by ada \(claimed\): the nightly job moves next week/);
    assert.equal(leaves[0]?.outcome, 'notMoved');
    assert.ok(!fakes.names().includes('removeCa'));
  });

  describe('abort', () => {
    const moved = {
      abortFacts: async () => ({
        ...(await fakeActivities().activities.abortFacts({ authority, rotation: '' })),
        moved: [target],
      }),
      targetsOnCa: async () => ({ targets: [target] }),
    };
    const undoes = [
      'Leaves come from the old CA old-ca again.',
      `Moved back onto it, by ordinary leaf rotations: ${target}.`,
      'The new CA new-ca leaves booking.acct, only after that; its key is destroyed.',
      'Filters that were widened stay as wide.',
    ];
    const listed = undoes.map((line) => `- ${line}\n`).join('');

    it('--dry-run prints what it would undo, and changes nothing', async () => {
      await startUntilItAsks(moved);
      const before = await status();
      const stdout = await taken('abort', authority, ...ada, '--dry-run');
      assert.equal(stdout, `${workflowId}: abort would undo:\n${listed}`);
      assert.deepEqual(await status(), before);
      assert.equal(fakes.names().at(-1), 'abortFacts');
      await handle().signal('rejectCaRemoval', claimed);
      assert.equal((await result()).outcome, 'keptBoth');
      for (const never of undoing) assert.ok(!fakes.names().includes(never), never);
    });

    it('prints what it undoes, and undoes it', async () => {
      await startUntilItAsks(moved);
      const stdout = await taken('abort', authority, ...ada);
      const follow = `Follow it: cert-rotation status ${authority}\n`;
      assert.equal(stdout, `${workflowId}: abort taken; undoes:\n${listed}${follow}`);
      const { outcome, reason } = await result();
      assert.equal(outcome, 'aborted');
      assert.match(
        reason!,
        /^Aborted by ada \(claimed\): the nightly job moves next week\. The new CA new-ca is trusted by nobody/,
      );
      for (const done of undoing) assert.ok(fakes.names().includes(done), done);
    });

    it('--keep-both ends it as it is: nothing is undone', async () => {
      await startUntilItAsks(moved);
      const stdout = await taken('abort', authority, ...ada, '--keep-both');
      assert.match(stdout, /: abort taken; undoes:\n- Nothing is undone: what is trusted stays so/);
      const { outcome, reason } = await result();
      assert.equal(outcome, 'keptBoth');
      assert.match(reason!, /^Aborted by ada \(claimed\): the nightly job moves next week\. Both CAs stay trusted/);
      for (const never of undoing) assert.ok(!fakes.names().includes(never), never);
    });

    it('is refused where it cannot be seen what it would undo: exit code 2, and the rotation goes on', async () => {
      await startUntilItAsks({ abortFacts: failing('KubernetesForbidden') });
      assertRefused(await tell('abort', authority, ...ada), /not taken: planted KubernetesForbidden/);
      assert.equal((await status()).phase, 'approve');
    });

    it('-o json: what it would undo, and what it undoes', async () => {
      await startUntilItAsks(moved);
      const document = { workflowId, action: 'abort', ...claimed, accepted: true, undoes };
      assert.deepEqual(await documented('abort', authority, ...ada, '--dry-run'), { ...document, dryRun: true });
      assert.deepEqual(await documented('abort', authority, ...ada), document);
      assert.equal((await result()).outcome, 'aborted');
    });
  });

  it('-o json: one document that says what was taken, of whom', async () => {
    const mend = await startUntilATargetFails();
    mend();
    const told = { workflowId, target, ...claimed, accepted: true, undoes: [] };
    assert.deepEqual(await documented('retry', authority, target, ...ada), { ...told, action: 'retry' });
    await tests.reach(handle(), 'approve');
    assert.deepEqual(await documented('reject', authority, ...ada), {
      workflowId,
      decision: 'reject',
      ...claimed,
      accepted: true,
      decided: true,
      phase: 'approve',
    });
    await result();
    await startUntilATargetFails();
    assert.deepEqual(await documented('skip', authority, target, ...ada), { ...told, action: 'skip' });
    await result();
  });

  describe('is refused with exit code 2', () => {
    const all: [string, readonly string[]][] = [
      ['reject', []],
      ['retry', [target]],
      ['skip', [target]],
      ['abort', []],
    ];
    for (const [command, of] of all)
      it(`${command}: where no rotation runs`, async () => {
        const ran = await tell(command, authority, ...of, ...ada, '-o', 'json');
        assertRefused(ran, /not taken: ca\/temporal-booking is not running: nothing to decide/);
        const { error, exitCode } = JSON.parse(ran.stdout) as { error: { type: string }; exitCode: number };
        assert.deepEqual([error.type, exitCode], ['BadInput', exitCodes.badInput]);
      });

    it('safety 15: but undo-removal is tried from here, where the rotation was terminated', async () => {
      const { code, stderr } = await tell('undo-removal', authority, ...ada);
      assert.equal(code, exitCodes.unreachable, stderr);
      assert.match(stderr, /ca\/temporal-booking is not running: .* Nor can what temporal-booking trusted be read/);
    });

    it('skip and abort: without a reason', async () => {
      const blank = ['--who', 'ada', '--why', ' '];
      for (const args of [
        ['skip', authority, target],
        ['abort', authority],
      ])
        assertRefused(await tell(...args, ...blank), /not taken: "why" must give the reason/);
    });
  });

  it('without a worker that answers it is not known whether it was taken: exit code 4', async () => {
    await startUntilItAsks();
    await tests.withoutWorker(async () => {
      const { code, stderr } = await tell('reject', authority, ...ada);
      assert.equal(code, exitCodes.unreachable, stderr);
      assert.match(stderr, /no rotation worker answered for ca\/temporal-booking/);
    });
  });
});
