import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CaRotationResult, RotationStatus } from '../../src/domain/rotation.js';
import { evidence, failing, fakeActivities, plan, type FakeActivities } from '../support/fake-activities.js';
import { starterEnvironment } from '../support/starter-environment.js';
import { runStarter, type Environment } from '../support/starter.js';
import { WorkflowTests } from '../support/temporal-env.js';

const [authority, target] = ['temporal-booking', 'booking-worker'];
const ada = ['--who', 'ada', '--why', 'the key was in a bucket'];

describe('safety 43: `cert-rotation emergency`', () => {
  let tests: WorkflowTests;
  let dir: string;
  let environment: Environment;
  let fakes: FakeActivities;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cert-rotation-test-'));
    tests = await WorkflowTests.onDevServer();
    environment = await starterEnvironment(tests.env.address, dir);
  });
  after(async () => {
    await tests?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  function use(overrides: Parameters<typeof fakeActivities>[0] = {}): void {
    const resolveCaRotation = async () => plan(authority, { canaries: [target] });
    fakes = fakeActivities({ resolveCaRotation, ...overrides });
    tests.use(fakes);
  }
  const emergency = (...args: string[]) => runStarter(['emergency', ...args, ...ada], environment);
  const handle = () => tests.env.client.workflow.getHandle(`ca/${authority}`);
  const result = () => handle().result() as Promise<CaRotationResult>;

  it('starts a rotation, follows it to its end, and says what is exposed', async () => {
    use();
    const { code, stdout, stderr } = await emergency(authority);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /the emergency of ada is declared and on record/);
    assert.equal((await result()).decision?.who, 'ada');
    const status = await handle().query<RotationStatus>('status');
    assert.match(status.exposed!.join(), /Compromised CA old-ca/);
  });

  it('takes over a rotation that waits for a person', async () => {
    use();
    await tests.start('caRotation', `ca/${authority}`, { authority });
    await tests.reach(handle(), 'approve');
    const { code, stderr } = await emergency('ca', authority);
    assert.equal(code, 0, stderr);
    assert.equal((await result()).outcome, 'rotated');
  });

  it('one that waits for a person because of a stranger is approved as any other', async () => {
    use({ gatherEvidence: async () => evidence({ unknownPollers: ['1@laptop (booking)'] }) });
    await emergency(authority, '--no-wait');
    await tests.reach(handle(), 'approve');
    const approved = await runStarter(['approve', authority, '--who', 'bob'], environment);
    assert.equal(approved.code, 0, approved.stderr);
    assert.equal((await result()).decision?.who, 'bob');
  });

  it('one that could not be put on record is not taken, and says what to do', async () => {
    use({ declareCompromised: failing('KeystoreForbidden') });
    const { code, stdout, stderr } = await emergency(authority);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /could not be put on record, and does not count: planted KeystoreForbidden.*declare the emergency again/s,
    );
    assert.doesNotMatch(stdout, /declared and on record/);
    await handle().terminate('the test is over');
  });

  it('without a worker it lies there and counts as soon as one runs', async () => {
    use();
    await tests.withoutWorker(async () => {
      const { code, stdout } = await emergency(authority, '--no-wait');
      assert.equal(code, 0);
      assert.match(stdout, /no rotation worker answered.*counts as soon as one runs/);
    });
    assert.equal((await result()).decision?.who, 'ada');
    assert.equal(fakes.names().filter((name) => name === 'declareCompromised').length, 1);
  });

  it('of a leaf gives the target a new one, also where none is due, and says what ends the use of the old one', async () => {
    use({ preflightLeaf: async () => ({ consumers: [], warnings: [], skip: 'Not due' }) });
    const { code, stdout, stderr } = await emergency('leaf', target);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /cannot be revoked.*emergency ca temporal-booking/s);
    assert.ok(fakes.names().includes('updateTarget'));
  });

  it('needs to know who and why', async () => {
    const { code, stderr } = await runStarter(['emergency', authority, '--who', 'ada', '--why', ' '], environment);
    assert.equal(code, 2);
    assert.match(stderr, /"why" must give the reason/);
  });
});
