// Writes the histories that a change of the workflows must still replay: `npm run histories`. To be run, and what it writes to be
// committed, with a release, and whenever a scenario is added; a recorded one is replaced only when no such rotation can run any more.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { fakeActivities } from '../support/fake-activities.js';
import { WorkflowTests } from '../support/temporal-env.js';
import { scenarios } from './scenarios.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** On one line, without the name of the machine and its paths, which stack traces have. */
function anonymous(history: string): string {
  return JSON.stringify(JSON.parse(history))
    .replaceAll(/"\d+@[^"]+"/g, '"worker"')
    .replaceAll(root, '/');
}

const [version] = process.argv.slice(2);
if (!version || !/^[a-z0-9.-]+$/.test(version)) throw new Error('Name what is recorded: npm run histories -- 1.2.0');
const folder = fileURLToPath(new URL(`./${version}/`, import.meta.url));
mkdirSync(folder, { recursive: true });
const tests = await WorkflowTests.skippingTime();
try {
  for (const [name, { workflow, workflowId, input, activities, meanwhile }] of Object.entries(scenarios)) {
    const file = `${folder}${name}.json`;
    if (existsSync(file)) continue;
    tests.use(fakeActivities(activities));
    const handle = await tests.start(workflow, workflowId, ...(input ? [input] : []));
    await meanwhile?.(tests, handle);
    await tests.failureOf(handle);
    writeFileSync(file, `${anonymous(historyToJSON(await handle.fetchHistory()))}\n`);
    process.stdout.write(`${name}\n`);
  }
} finally {
  await tests.stop();
}
