import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { before, describe, it } from 'node:test';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Worker, type WorkflowBundle } from '@temporalio/worker';
import { scenarios } from '../histories/scenarios.js';

const folder = fileURLToPath(new URL('../histories/', import.meta.url));
const recorded = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));

describe('rotations that began before a change of the workflows go on after it', () => {
  let workflowBundle: WorkflowBundle;
  before(async () => {
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
    workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  });

  it('every workflow and outcome has a history', () => {
    const names = new Set(recorded.map((file) => file.replace(/^.*[\\/]|\.json$/g, '')));
    assert.deepEqual([...names].sort(), Object.keys(scenarios).sort());
  });

  for (const file of recorded)
    it(`replays ${file.replace(/\.json$/, '')}`, async () => {
      const history = historyFromJSON(JSON.parse(readFileSync(folder + file, 'utf8')));
      const { workflowId } = scenarios[file.replace(/^.*[\\/]|\.json$/g, '')] ?? {};
      await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
    });
});
