import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KillLane, type Workflow } from '../support/kill-lane.js';
import { SandboxRun } from '../support/sandbox-run.js';
import { makeServerCertificate } from '../support/server-certificate.js';
import { spread } from '../support/spread.js';

const laneNames = ['one', 'two', 'three', 'four'].map((name) => `lane-${name}`);
const bookings = '/apis/apps/v1/namespaces/temporal-booking/deployments/temporal-booking-worker';

describe('safety 44: the real worker is killed (SIGKILL) at every place, and the rotation ends as if nothing had happened', () => {
  let run: SandboxRun;
  let lanes: readonly KillLane[] = [];

  before(async () => {
    run = await SandboxRun.begin(() => ({ rotationWorker: false }));
    // The sandbox's own team has no part in this.
    await run.sandbox.kubernetes.admin.patch(`${bookings}/scale`, [
      { op: 'replace', path: '/spec/replicas', value: 0 },
    ]);
    const certificate = makeServerCertificate(run.dir);
    const begun: KillLane[] = [];
    lanes = begun;
    for (const name of laneNames) begun.push(await KillLane.begin(run, name, certificate));
  });
  after(async () => {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await run?.stop();
  });

  for (const [workflow, fewest] of [
    ['leafRotation', 30],
    ['caRotation', 80],
  ] satisfies [Workflow, number][]) {
    it(`safety 44: ${workflow}, before and after each activity and around each request that changes something`, async (test) => {
      const [first] = lanes;
      await first!.rotate(workflow);
      const { places } = first!;
      assert.ok(places.length >= fewest, places.join('\n'));
      const broken = await spread(lanes, places, (lane, place) => lane.rotate(workflow, place));
      assert.deepEqual(broken, []);
      test.diagnostic(`SIGKILLs survived: ${places.length} in ${workflow}`);
    });
  }

  it('no call of any worker was refused meanwhile', async (test) => {
    let failed = 0;
    for (const { team, leaves } of lanes) {
      leaves.forEach((leaf) => run.leaves.add(leaf));
      const { failedByCode, failedCalls } = await run.measures(team);
      assert.deepEqual(failedByCode, {}, team.namespace);
      failed += failedCalls;
    }
    test.diagnostic(`calls failed: ${failed}`);
  });

  it('safety 8: no key of any of these runs is in a history, log, argument, environment, file, object or metric', async () =>
    assert.deepEqual(await run.placesWithKeys(...lanes.map(({ client }) => client)), []));
});
