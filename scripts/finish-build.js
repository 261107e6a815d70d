// The end of a build. Bundles the workflows: the worker then starts without webpack, and runs exactly what was tested. Makes the
// two programs executable, which the compiler does not.
import { chmod, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath: at('../dist/workflows/index.js') });
await writeFile(at('../dist/workflow-bundle.js'), code);
for (const program of ['starter', 'worker']) await chmod(at(`../dist/${program}.js`), 0o755);
