// Bundles the workflows at build time: the worker then starts without webpack, and runs exactly what was tested.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath: at('../dist/workflows/index.js') });
await writeFile(at('../dist/workflow-bundle.js'), code);
