import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { expiryScheduleId, leafScheduleId } from '../../src/domain/ids.js';
import { tell } from '../../src/temporal/history.js';
import { applySchedules } from '../../src/temporal/schedules.js';
import { ExpiryWorld } from '../support/expiry-world.js';
import { fakeActivities } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';

describe('the schedules', () => {
  let tests: WorkflowTests;

  before(async () => {
    tests = await WorkflowTests.onDevServer();
  });
  after(() => tests?.stop());

  const configured = (cron: string) => {
    const { config } = new ExpiryWorld({ client: tests.env.client, notifiers: {} });
    return { ...config, temporal: { taskQueue: WorkflowTests.taskQueue }, notices: { ...config.notices, cron } };
  };

  it('are both created, then both brought up to date, and a paused one stays paused', async () => {
    const { client } = tests.env;
    const both = (applied: string) => ({ [leafScheduleId]: applied, [expiryScheduleId]: applied });
    assert.deepEqual(await applySchedules(client, configured('0 6 * * *')), both('created'));
    const handle = client.schedule.getHandle(expiryScheduleId);
    await handle.pause('for a test');
    assert.deepEqual(await applySchedules(client, configured('30 7 * * *')), both('updated'));
    const { spec, state } = await handle.describe();
    assert.deepEqual(
      spec.calendars?.map(({ hour, minute }) => [hour?.[0]?.start, minute?.[0]?.start]),
      [[7, 30]],
    );
    assert.equal(state.paused, true);
  });

  it('begin up to five minutes later, at random, so that installations do not come all at once', async () => {
    const { client } = tests.env;
    await applySchedules(client, configured('0 6 * * *'));
    for (const schedule of [leafScheduleId, expiryScheduleId])
      assert.equal((await client.schedule.getHandle(schedule).describe()).spec.jitter, 5 * 60_000, schedule);
  });

  it('start the watch, which takes four Temporal actions where nothing expires', async () => {
    const { client } = tests.env;
    tests.use({
      ...fakeActivities(),
      activities: new ExpiryWorld({ client: tests.env.client, notifiers: {} }).activities,
    });
    await applySchedules(client, configured('0 6 * * *'));
    await client.schedule.getHandle(expiryScheduleId).trigger();
    const run = await tests.eventually(async () => {
      const { info } = await client.schedule.getHandle(expiryScheduleId).describe();
      const started = info.recentActions.at(-1)?.action.workflow.workflowId;
      const told = started ? await tell(client, started) : undefined;
      return told?.outcome === 'running' ? undefined : told;
    });
    assert.equal(run.outcome, 'completed');
    assert.equal(run.actions, 4);
  });
});
