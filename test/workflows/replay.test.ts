import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { scenarios } from '../histories/scenarios.js';
import { fakeActivities } from '../support/fake-activities.js';
import { workflowBundle } from '../support/workflow-bundle.js';

const folder = fileURLToPath(new URL('../histories/', import.meta.url));
const recorded = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));

const read = (file: string) => historyFromJSON(JSON.parse(readFileSync(folder + file, 'utf8')));

/** The names of those that a history schedules. */
function activitiesOf({ events }: ReturnType<typeof read>): readonly string[] {
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  );
}

describe('rotations that began before a change of the workflows go on after it', () => {
  it('every workflow and outcome has a history', () => {
    const names = new Set(recorded.map((file) => file.replace(/^.*[\\/]|\.json$/g, '')));
    assert.deepEqual([...names].sort(), Object.keys(scenarios).sort());
  });

  it('every activity is called in a history', () => {
    const called = new Set(recorded.flatMap((file) => activitiesOf(read(file))));
    const never = Object.keys(fakeActivities().activities).filter((name) => !called.has(name));
    assert.deepEqual(never, [], 'add a scenario for each, and record it: npm run histories -- <version>');
  });

  for (const file of recorded)
    it(`replays ${file.replace(/\.json$/, '')}`, async () => {
      const { workflowId } = scenarios[file.replace(/^.*[\\/]|\.json$/g, '')] ?? {};
      await Worker.runReplayHistory({ workflowBundle: await workflowBundle() }, read(file), workflowId);
    });
});
